"""Facts about every image and label of a data set, for ``check_data.py``."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import mmengine.fileio as fileio
import numpy as np
from mmengine.dataset import BaseDataset
from numpy.typing import NDArray

from mmmsf.datasets.transforms import ImageReadError, decode_image
from mmmsf.evaluation.rows import sample_name, sample_target
from mmmsf.utils.groups import (
    Group,
    broken_rows,
    describe_fault,
    describe_groups,
    parse_groups,
    true_outcomes,
)

CHUNK = 16  # images per task of a worker


@dataclass(frozen=True)
class ImageFacts:
    """Hold the facts about one image file.

    Attributes:
        path: Path of the image.
        width: Width in pixels, after EXIF rotation; 0 for a broken image.
        height: Height in pixels, likewise.
        digest: Hash of the file's bytes; '' if the file cannot be read.
        fault: Reason why the image cannot be used, or ''.
    """

    path: str
    width: int = 0
    height: int = 0
    digest: str = ''
    fault: str = ''


def inspect_image(path: str) -> ImageFacts:
    """Open one image as ``LoadImage`` does; an error is recorded in ``fault``."""
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
        paths: Image paths; repeats are opened once.
        workers: Number of processes; 0 works in this one.
        advance: Callback after each image, for a progress bar.

    Returns:
        Facts by path, in the order of ``paths``.

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
    """Hold the labels of a split of N images and K classes.

    Attributes:
        name: Name of the split.
        classes: K class names.
        paths: N image paths.
        targets: Targets, 1, 0, or -1 for ignored, int8 (N, K).
        groups: Exclusive groups.
    """

    name: str
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    targets: NDArray[np.int8]
    groups: tuple[Group, ...] = ()

    @classmethod
    def from_dataset(
        cls,
        name: str,
        dataset: BaseDataset,
        groups: Sequence[Mapping[str, Any]] | None = None,
    ) -> 'SplitLabels':
        """Read all labels of a data set without running its pipeline.

        The targets are ``gt_score``, else those of ``gt_label`` (MMPretrain's own data sets).

        Args:
            name: Name of the split.
            dataset: Data set.
            groups: Exclusive groups, as in a config; by default those of its ``metainfo``.

        Raises:
            ValueError: The groups are not valid.
        """
        classes = tuple(dataset.metainfo['classes'])
        paths = []
        targets = np.empty((len(dataset), len(classes)), np.int8)
        for i in range(len(dataset)):  # one at a time: with 1,203 classes an item takes 20 kB
            info = dataset.get_data_info(i)
            paths.append(sample_name(info, i))
            targets[i] = sample_target(info, len(classes), paths[i]).numpy()
        groups = dataset.metainfo.get('groups') if groups is None else groups
        return cls(name, classes, tuple(paths), targets, parse_groups(groups, classes))


@dataclass(frozen=True, eq=False)
class SplitSummary:
    """Hold the statistics of one split of N images and K classes.

    Attributes:
        name: Name of the split.
        classes: K class names.
        num_images: Number of images N.
        num_unlabelled: Number of images without a positive class.
        positives: Number of images in which the class is positive, shape (K,).
        ignored: Number of images in which the class is neither positive nor negative, shape (K,).
        histogram: Number of images with 0, 1, ... L - 1 labels, shape (L,).
        sizes: Width and height in pixels of the M images that could be opened, sorted by area,
            shape (M, 2).
        faults: One message per missing or broken image.
        groups: One line per exclusive group: known, none of its classes, unknown.
        broken: One message per image whose labels break the rule of a group.
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
    groups: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()


def summarize_groups(labels: SplitLabels) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Count the outcomes of each group; return a line for each and one for each broken image."""
    lines, faults = [], []
    for group in labels.groups:
        broken = broken_rows(labels.targets, group)
        outcomes = true_outcomes(labels.targets, group)[~broken]
        none, unknown = (outcomes == len(group.classes)).sum(), (outcomes < 0).sum()
        lines.append(
            f'{describe_groups([group])}: known in {len(outcomes) - unknown:,} images, {none:,} of '
            f'these with none of them; unknown in {unknown:,}; rule broken in {broken.sum():,}'
        )
        faults += [
            f'{labels.paths[i]} has {describe_fault(labels.targets[i], group, labels.classes)}'
            for i in np.flatnonzero(broken)
        ]
    return tuple(lines), tuple(faults)


def summarize_split(labels: SplitLabels, facts: Mapping[str, ImageFacts]) -> SplitSummary:
    """Count labels, sizes and faults of one split.

    Args:
        labels: Labels of the split.
        facts: Facts by path, of at least its images.
    """
    num_labels = (labels.targets == 1).sum(axis=1)
    found = [facts[path] for path in labels.paths]
    sizes = np.array(
        [(fact.width, fact.height) for fact in found if not fact.fault], dtype=np.int64
    ).reshape(-1, 2)
    groups, broken = summarize_groups(labels)
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
        groups=groups,
        broken=broken,
    )


def find_shared(
    first: Sequence[str], second: Sequence[str], facts: Mapping[str, ImageFacts]
) -> list[tuple[str, str]]:
    """Find the images of two splits that are the same file or files of equal content.

    Args:
        first: Image paths of one split.
        second: Image paths of the other split.
        facts: Facts by path, of their images.

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
    """Group the images within one split whose files have equal content."""
    count = Counter(facts[path].digest for path in dict.fromkeys(paths))
    groups = defaultdict(list)
    for path in dict.fromkeys(paths):
        digest = facts[path].digest
        if digest and count[digest] > 1:
            groups[digest].append(path)
    return list(groups.values())
