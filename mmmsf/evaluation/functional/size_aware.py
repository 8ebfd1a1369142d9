"""Average precision by the size of the objects behind each label."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .average_precision import grouped_average_precision
from .validation import check_scores_targets

SIZE_NAMES = ('small', 'medium', 'large')
COCO_SIZE_THRESHOLDS = (32.0**2, 96.0**2)


def check_size_thresholds(thresholds: Sequence[float]) -> tuple[float, float]:
    """Return the two bounds in px^2.

    Raises:
        ValueError: Not exactly two numbers with 0 < first < second.
    """
    if len(thresholds) != 2 or not 0 < thresholds[0] < thresholds[1]:
        raise ValueError(
            f'size thresholds must be two numbers 0 < a < b in px^2, got {tuple(thresholds)}'
        )
    return float(thresholds[0]), float(thresholds[1])


def areas_to_sizes(
    areas: ArrayLike, thresholds: Sequence[float] = COCO_SIZE_THRESHOLDS
) -> NDArray[np.int8]:
    """Sort areas into size buckets, with the strict bounds of the COCO evaluation.

    Args:
        areas: Shape (N, K) or (K,), px^2 of the largest instance of a class in an image; NaN
            where there is none or it is unknown.
        thresholds: Bounds in px^2, small < first <= medium < second <= large.

    Returns:
        Shape of ``areas``: 0 unknown, 1 small, 2 medium, 3 large.

    Raises:
        ValueError: A negative area, or thresholds that do not ascend.
    """
    medium, large = check_size_thresholds(thresholds)
    array = np.asarray(areas, dtype=np.float64)
    if (array < 0).any():
        raise ValueError(f'areas must be >= 0 or NaN, got {np.nanmin(array)}')
    sizes = 1 + (array >= medium).astype(np.int8) + (array >= large).astype(np.int8)
    return np.where(np.isnan(array), 0, sizes).astype(np.int8)


def check_sizes(sizes: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Return ``sizes`` as int8.

    Raises:
        ValueError: The shape is not ``shape``, or a value is not 0, 1, 2 or 3.
    """
    array = np.asarray(sizes)
    if array.shape != shape:
        raise ValueError(
            f'sizes must have the shape of scores, got {array.shape} for scores {shape}'
        )
    wrong = (array != 0) & (array != 1) & (array != 2) & (array != 3)
    if wrong.any():
        raise ValueError(f'sizes must be 0, 1, 2 or 3, got {array[wrong][0]}')
    return array.astype(np.int8, copy=False)


def size_aware_average_precision(
    scores: ArrayLike,
    targets: ArrayLike,
    sizes: ArrayLike,
    flavour: str = 'area',
    names: Sequence[str] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the average precision of each class, over all positives and by their size.

    For one size, the positives are the images whose largest instance of the class has that
    size; the negatives are all images without the class; positives of another or of unknown
    size are dropped, as ignored ones are.

    Args:
        scores: Shape (N, K), higher means surer.
        targets: Shape (N, K): 1 positive, 0 negative, -1 ignored.
        sizes: Shape (N, K) of 0 to 3, see :func:`areas_to_sizes`; read at positives only.
        flavour: See :func:`~.average_precision.average_precision`.
        names: N image names for error messages.

    Returns:
        AP of all positives (K,), and AP by size (3, K) in the order of ``SIZE_NAMES``; 0 to 1,
        NaN where there is no positive.

    Raises:
        ValueError: As for ``average_precision``, or sizes of another shape or value.
    """
    checked_scores, checked_targets = check_scores_targets(scores, targets, names)
    groups = check_sizes(sizes, checked_scores.shape)
    ap = grouped_average_precision(
        checked_scores, checked_targets, groups, len(SIZE_NAMES), flavour
    )
    return ap[0], ap[1:]
