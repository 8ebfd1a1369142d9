"""Lists of a VOC folder that has none: a split of its images into train and val that stays."""

import os
from collections.abc import Mapping, Sequence

import mmengine.fileio as fileio
from mmengine.fileio import join_path

from mmmsf.utils.atomic_file import write_atomically

from .readers.image_sets import parse_image_set, read_image_set
from .stratification import stratified_split

SIDES = ('train', 'val')


def list_path(folder: str, split: str) -> str:
    """Return the path of the list of a split."""
    return join_path(folder, f'{split}.txt')


def split_exists(folder: str) -> bool:
    """Return True if there are both lists of a split."""
    return all(fileio.exists(list_path(folder, side)) for side in SIDES)


def check_split_options(split: str | None, ratio: float | None) -> None:
    """Refuse options that do not fit each other.

    Raises:
        ValueError: ``split`` is not the name of a list, or ``ratio`` is not a share or comes with
            another list than those that a split writes.
    """
    if split is not None and (not split or os.path.basename(split) != split or '\\' in split):
        raise ValueError(
            'split must be the name of a list in ImageSets/Main without folder and suffix, or None '
            f'for all images, got {split!r}'
        )
    if ratio is None:
        return
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio < 1:
        raise ValueError(f'split_ratio must be a number between 0 and 1, got {ratio!r}')
    if split not in SIDES:
        raise ValueError(
            f'split must be one of {list(SIDES)} where split_ratio is set, got {split!r}'
        )


def _write_list(path: str, ids: Sequence[str], names: Mapping[str, str]) -> None:
    """Write a list, or check that an existing one is the same; see :func:`write_split`."""
    if fileio.exists(path):
        if read_image_set(path, names) != list(ids):
            raise ValueError(
                f'{path} exists, with other images than split_ratio and split_seed choose, but '
                f'not both of {[f"{side}.txt" for side in SIDES]}; write the other list, or '
                'remove this one to split all images'
            )
        return
    text = ''.join(f'{image_id}\n' for image_id in ids)
    try:
        write_atomically(path, text.encode(), shared=True)
    except (OSError, UnicodeEncodeError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise OSError(
            f'{path}: the list of the split cannot be written ({reason}); set split_dir to a '
            'folder that can be written'
        ) from error


def write_split(
    folder: str,
    names: Mapping[str, str],
    labels: Mapping[str, Sequence[str]],
    ratio: float,
    seed: int,
) -> dict[str, int]:
    """Split images, stratified over their labels, and write ``train.txt`` and ``val.txt``.

    Processes that do so at the same time write the same. An existing list is never overwritten.

    Args:
        folder: Folder of the lists; created if missing.
        names: File name of each image id.
        labels: Labels of each image that is to be split.
        ratio: Share of the images for val.
        seed: Seed of the choice.

    Returns:
        Number of images in each list.

    Raises:
        OSError: A list cannot be written.
        ValueError: There are fewer than two images, one of the lists exists with other content,
            or a file name cannot stand in a list.
    """
    if len(labels) < 2:
        raise ValueError(
            f'{folder}: a split needs at least two annotated images, got {len(labels)}; check '
            'data_root, image_dir and ann_dir'
        )
    ids = sorted(labels)
    wrong = [one for one in ids if parse_image_set(one, folder, names) != [one]]
    if wrong:
        raise ValueError(
            f'{folder}: the image {names[wrong[0]]!r} cannot stand in a list; rename it, without '
            'blanks at its ends and line breaks'
        )
    chosen = stratified_split([labels[image_id] for image_id in ids], ratio, seed)
    counts = {}
    for side in SIDES:
        own = [one for one, held in zip(ids, chosen, strict=True) if held == (side == 'val')]
        _write_list(list_path(folder, side), own, names)
        counts[side] = len(own)
    return counts
