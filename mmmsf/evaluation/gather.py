"""Gathering of evaluation rows over all ranks, with every image counted once."""

from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather, get_world_size
from numpy.typing import NDArray

from .rows import EvaluationRows


def _gather_shapes(rows: EvaluationRows) -> tuple[NDArray[np.int64], int]:
    """Gather the number of rows of each rank (W,), and the common number of classes."""
    shape = torch.tensor(rows.scores.shape, dtype=torch.int64)
    shapes = torch.stack(all_gather(shape)).numpy()  # (W, 2)
    classes = np.unique(shapes[shapes[:, 0] > 0, 1])
    if classes.size == 0:
        raise ValueError('there is nothing to evaluate: no rank has processed a sample')
    if classes.size > 1:
        raise ValueError(f'all ranks must score the same number of classes, got {classes.tolist()}')
    return shapes[:, 0], int(classes[0])


def _gather_column(column: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Pad a column to ``shape`` (L, ...) and gather it, shape (L, W, ...)."""
    padded = np.zeros(shape, dtype=column.dtype)
    if len(column):
        padded[: len(column)] = column
    gathered: NDArray[Any] = torch.stack(all_gather(torch.from_numpy(padded)), dim=1).numpy()
    return gathered


def gather_rows(rows: EvaluationRows) -> tuple[EvaluationRows, NDArray[np.int64]]:
    """Gather the rows of all ranks in the order of the sampler.

    Row i of rank r of W has position i * W + r. A rank may hold no row (of any K). The rows are
    sent as tensors padded to the longest rank, on the device of the backend.

    Returns:
        The rows of all ranks by ascending position, and their positions; the same on every rank.

    Raises:
        ValueError: No rank has a row, or the ranks disagree on the number of classes; raised on
            every rank.
    """
    lengths, num_classes = _gather_shapes(rows)
    longest, world_size = int(lengths.max()), get_world_size()
    held = np.arange(longest)[:, None] < lengths  # (L, W)
    matrix = (longest, num_classes)
    gathered = EvaluationRows(
        _gather_column(rows.scores, matrix)[held],
        _gather_column(rows.targets, matrix)[held],
        _gather_column(rows.sizes, matrix)[held],
        _gather_column(rows.sample_idx, (longest,))[held],
    )
    position = np.arange(longest * world_size).reshape(longest, world_size)[held]
    return gathered, position


def unique_rows(
    rows: EvaluationRows, position: NDArray[np.int64], size: int
) -> tuple[EvaluationRows, str | None]:
    """Keep one row per image, ordered by ``sample_idx``.

    The sampler repeats images to give every rank equally many; the first row of an image is kept.
    Where a row has no ``sample_idx``, or where the index is not unique in the data set (a
    concatenated one), the rows at positions below ``size`` are kept instead.

    Args:
        rows: N gathered rows, by ascending position.
        position: Positions of the rows, see :func:`gather_rows`, shape (N,).
        size: Number of images in the data set.

    Returns:
        The rows, and a warning if their number or their index is not as expected, else None.
    """
    in_data = np.flatnonzero(position < size)
    if (rows.sample_idx < 0).any():
        kept, warning = in_data, None
    else:
        _, kept = np.unique(rows.sample_idx, return_index=True)
        warning = None
        if len(kept) < size == len(in_data):
            warning = (
                f'sample_idx has {len(kept)} values for {size} images of the data set; '
                'the order of the sampler is used to drop repeated samples instead'
            )
            kept = in_data
    if len(kept) != size:
        warning = f'{len(kept)} different images were evaluated, the data set has {size}'
    return rows.take(kept), warning
