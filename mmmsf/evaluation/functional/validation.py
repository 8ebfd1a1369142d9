"""Input checks of the evaluation functions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.floating[Any]]
TargetArray = NDArray[np.int8]


def _row_name(row: int, names: Sequence[str] | None) -> str:
    return f'row {row}' if names is None else f'row {row} ({names[row]})'


def _first_bad_row(bad: NDArray[np.bool_]) -> int:
    """Return the index of the first row of a (N, K) mask with a True."""
    return int(bad.any(axis=1).argmax())


def check_scores(scores: ArrayLike, names: Sequence[str] | None = None) -> FloatArray:
    """Convert ``scores`` to a floating (N, K) array and check it.

    Args:
        scores: Shape (N, K), one row per image. Integers become float64.
        names: N image names; the error message then names the image.

    Raises:
        ValueError: Not two-dimensional, a NaN or infinite entry, or N names are expected and
            another number is given.
    """
    array = np.asarray(scores)
    if array.ndim != 2:
        raise ValueError(f'scores must have shape (N, K), got shape {array.shape}')
    if names is not None and len(names) != len(array):
        raise ValueError(f'names must have one entry per row ({len(array)}), got {len(names)}')
    if not np.issubdtype(array.dtype, np.floating):
        array = array.astype(np.float64)
    finite = np.isfinite(array)
    if not finite.all():
        row = _first_bad_row(~finite)
        column = int((~finite[row]).argmax())
        raise ValueError(
            f'scores must be finite, got {array[row, column]} for class {column} in '
            f'{_row_name(row, names)}'
        )
    return array


def check_targets(
    targets: ArrayLike, shape: tuple[int, ...], names: Sequence[str] | None = None
) -> TargetArray:
    """Convert ``targets`` to an int8 array of 1, 0 and -1 and check it.

    Args:
        targets: 1 positive, 0 negative, -1 ignored; any numeric or boolean type.
        shape: The (N, K) of the scores they belong to.
        names: N image names for the error message.

    Raises:
        ValueError: Another shape, or a value that is not -1, 0 or 1.
    """
    array = np.asarray(targets)
    if array.shape != shape:
        raise ValueError(
            f'targets must have the shape of scores, got {array.shape} for scores {shape}'
        )
    wrong = (array != 1) & (array != 0)
    if wrong.any():
        wrong &= array != -1
    if wrong.any():
        row = _first_bad_row(wrong)
        value = array[row][wrong[row]][0]
        raise ValueError(f'targets must be -1, 0 or 1, got {value} in {_row_name(row, names)}')
    return array.astype(np.int8, copy=False)


def check_scores_targets(
    scores: ArrayLike, targets: ArrayLike, names: Sequence[str] | None = None
) -> tuple[FloatArray, TargetArray]:
    """Apply :func:`check_scores` and :func:`check_targets`.

    Returns:
        Scores (N, K) floating and targets (N, K) int8.
    """
    checked = check_scores(scores, names)
    return checked, check_targets(targets, checked.shape, names)
