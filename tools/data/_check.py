"""Facts about every image and label of a dataset, for ``check_data.py``."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import cv2
import mmengine.fileio as fileio
import numpy as np
from mmengine.dataset import BaseDataset
from numpy.typing import NDArray

from mmmsf.datasets.transforms import ImageReadError, decode_image

CHUNK = 16  # images that a worker takes at a time


@dataclass(frozen=True)
class ImageFacts:
    """What opening one image showed.

    Attributes:
        path: the image.
        width, height: in pixels, after EXIF rotation; 0 for a broken image.
        digest: of the file's bytes; equal files have equal digests, and a file
            that cannot be read has ''.
        fault: why the image cannot be used, or ''.
    """

    path: str
    width: int = 0
    height: int = 0
    digest: str = ''
    fault: str = ''


def inspect_image(path: str) -> ImageFacts:
    """Open one image as ``LoadImage`` does; what is wrong goes into ``fault``."""
    try:
        content = fileio.get(path)
    except FileNotFoundError:
        return ImageFacts(path, fault=f'{path}: no such file')
    except OSError as error:
        return ImageFacts(path, fault=f'{path}: cannot be read: {error}')
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    try:
        height, width, _ = decode_image(content, path).shape
    except ImageReadError as error:
        return ImageFacts(path, digest=digest, fault=str(error))
    return ImageFacts(path, width, height, digest)


def _single_thread() -> None:
    cv2.setNumThreads(0)


def inspect_images(
    paths: Iterable[str],
    workers: int = 0,
    advance: Callable[[], object] = lambda: None,
) -> dict[str, ImageFacts]:
    """Open every distinct image once.

    Args:
        paths: images; repeats are opened once.
        workers: processes; 0 works in this one.
        advance: called after each image, for a progress bar.

    Returns:
        Path -> facts, in the order of ``paths``.

    Raises:
        ValueError: ``workers`` is negative.
    """
    if workers < 0:
        raise ValueError(f'workers must not be negative, got {workers}')
    distinct = list(dict.fromkeys(paths))
    facts: dict[str, ImageFacts] = {}

    def collect(results: Iterable[ImageFacts]) -> dict[str, ImageFacts]:
        for fact in results:
            facts[fact.path] = fact
            advance()
        return facts

    if workers == 0:
        return collect(map(inspect_image, distinct))
    with ProcessPoolExecutor(workers, initializer=_single_thread) as pool:
        return collect(pool.map(inspect_image, distinct, chunksize=CHUNK))


@dataclass(frozen=True, eq=False)
class SplitLabels:
    """Labels of N images, K classes.

    Attributes:
        name: of the split.
        classes: K class names.
        paths: N image paths.
        targets: int8 (N, K): 1, 0, or -1 for ignored.
    """

    name: str
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    targets: NDArray[np.int8]

    @classmethod
    def from_dataset(cls, name: str, dataset: BaseDataset) -> 'SplitLabels':
        """Read all labels of a dataset; its pipeline does not run."""
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
        return cls(
            name,
            tuple(dataset.metainfo['classes']),
            tuple(str(info['img_path']) for info in infos),
            np.stack([info['gt_score'] for info in infos]).astype(np.int8),
        )


@dataclass(frozen=True, eq=False)
class SplitSummary:
    """What there is to know about one split of N images and K classes.

    Attributes:
        name: of the split.
        classes: K class names.
        num_images: N.
        num_unlabelled: images without a positive class.
        positives: (K,) images in which the class is positive.
        ignored: (K,) images in which the class is neither positive nor negative.
        histogram: (L,), how many images have 0, 1, ... L - 1 labels.
        sizes: (M, 2), sorted by area, width and height in pixels of the M images
            that could be opened.
        faults: one message for each image that is missing or broken.
    """

    name: str
    classes: tuple[str, ...]
    num_images: int
    num_unlabelled: int
    positives: NDArray[np.int64]
    ignored: NDArray[np.int64]
    histogram: NDArray[np.int64]
    sizes: NDArray[np.int64]
    faults: tuple[str, ...]


def summarize_split(labels: SplitLabels, facts: Mapping[str, ImageFacts]) -> SplitSummary:
    """Count labels, sizes and faults of one split.

    Args:
        labels: of the split.
        facts: path -> facts of at least its images.
    """
    num_labels = (labels.targets == 1).sum(axis=1)
    found = [facts[path] for path in labels.paths]
    sizes = np.array(
        [(fact.width, fact.height) for fact in found if not fact.fault], dtype=np.int64
    ).reshape(-1, 2)
    return SplitSummary(
        name=labels.name,
        classes=labels.classes,
        num_images=len(labels.paths),
        num_unlabelled=int((num_labels == 0).sum()),
        positives=(labels.targets == 1).sum(axis=0),
        ignored=(labels.targets == -1).sum(axis=0),
        histogram=np.bincount(num_labels),
        sizes=sizes[np.argsort(sizes.prod(axis=1), kind='stable')],
        faults=tuple(dict.fromkeys(fact.fault for fact in found if fact.fault)),
    )


def find_shared(
    first: Sequence[str], second: Sequence[str], facts: Mapping[str, ImageFacts]
) -> list[tuple[str, str]]:
    """Images of two splits that are the same file or files of equal content.

    Args:
        first, second: the image paths of the splits.
        facts: path -> facts of their images.

    Returns:
        Pairs of a path of ``first`` and a path of ``second``.
    """
    by_digest = defaultdict(list)
    for path in dict.fromkeys(first):
        if facts[path].digest:
            by_digest[facts[path].digest].append(path)
    return [
        (other, path)
        for path in dict.fromkeys(second)
        for other in by_digest.get(facts[path].digest, ())
    ]


def find_repeats(paths: Sequence[str], facts: Mapping[str, ImageFacts]) -> list[list[str]]:
    """Groups of images within one split whose files have equal content."""
    count = Counter(facts[path].digest for path in dict.fromkeys(paths))
    groups = defaultdict(list)
    for path in dict.fromkeys(paths):
        digest = facts[path].digest
        if digest and count[digest] > 1:
            groups[digest].append(path)
    return list(groups.values())
