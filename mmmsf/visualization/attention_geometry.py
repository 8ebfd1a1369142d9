"""Geometry between the cells of an attention map and the pixels of the photograph."""

from collections.abc import Sequence

import numpy as np
from mmpretrain.structures import DataSample
from numpy.typing import NDArray

Region = tuple[float, float, float, float]


def visible_region(sample: DataSample) -> Region:
    """Compute the part of a photograph that the network received.

    Handles the test pipelines of MMPretrain: a resize, with or without the aspect ratio kept, and
    an optional centre crop.

    Args:
        sample: Sample with ``ori_shape`` and ``img_shape``, both (H, W), and, after a resize,
            ``scale_factor``, (width, height) or one number.

    Returns:
        (x1, y1, x2, y2) in pixels of the photograph, after EXIF rotation.
    """
    height, width = sample.ori_shape[:2]
    seen_height, seen_width = sample.img_shape[:2]
    factor = sample.get('scale_factor', 1.0)
    x_factor, y_factor = (factor, factor) if np.isscalar(factor) else factor[:2]
    bounds = []
    for side, seen, scale in ((width, seen_width, x_factor), (height, seen_height, y_factor)):
        resized = side * scale
        # Rounding changes a side by less than one pixel; then nothing was cropped.
        share = 1.0 if abs(resized - seen) < 1 else seen / resized
        bounds.append((side * (1 - share) / 2, side * (1 + share) / 2))
    (x1, x2), (y1, y2) = bounds
    return x1, y1, x2, y2


def _along(first: float, last: float, size: int, cells: int) -> tuple[NDArray, NDArray, NDArray]:
    """Compute for each of ``size`` pixels its two nearest cells and the weight of the second."""
    place = (np.arange(size) + 0.5 - first) / (last - first) * cells - 0.5
    place = np.clip(place, 0, cells - 1)
    low = np.floor(place).astype(int)
    return low, np.minimum(low + 1, cells - 1), place - low


def _inside(first: float, last: float, size: int) -> NDArray[np.bool_]:
    """Mark the pixels of ``size`` whose centre lies between two coordinates."""
    centre = np.arange(size) + 0.5
    return (centre > first) & (centre < last)


def place_map(values: NDArray, region: Region, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Resample a map to the pixels of a photograph, bilinearly, with values at cell centres.

    Args:
        values: (h, w); its cells divide ``region`` evenly.
        region: (x1, y1, x2, y2) in pixels, see :func:`visible_region`.
        shape: (H, W) of the photograph.

    Returns:
        (H, W) values; zero outside ``region``.
    """
    x1, y1, x2, y2 = region
    height, width = shape
    top, bottom, row_weight = _along(y1, y2, height, values.shape[0])
    left, right, col_weight = _along(x1, x2, width, values.shape[1])
    rows = values[top] * (1 - row_weight)[:, None] + values[bottom] * row_weight[:, None]  # (H, w)
    out = rows[:, left] * (1 - col_weight) + rows[:, right] * col_weight  # (H, W)
    return out * np.outer(_inside(y1, y2, height), _inside(x1, x2, width))


def attention_box(
    values: NDArray, region: Region, shape: tuple[int, int], fraction: float = 0.5
) -> tuple[int, int, int, int]:
    """Compute the smallest box around all strong attention. It is no detection.

    Args:
        values: (h, w) attention, usually summed over the scales.
        region: (x1, y1, x2, y2) in pixels, see :func:`visible_region`.
        shape: (H, W) of the photograph.
        fraction: Share of the maximum from which on attention is strong.

    Returns:
        (x1, y1, x2, y2) in integer pixels, x2 and y2 exclusive. Separate spots share one box.

    Raises:
        ValueError: ``fraction`` is not above 0 and at most 1.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f'`fraction` must be above 0 and at most 1, got {fraction}')
    placed = place_map(values, region, shape)
    rows, cols = np.nonzero(placed >= fraction * placed.max())
    return int(cols.min()), int(rows.min()), int(cols.max()) + 1, int(rows.max()) + 1


def strongest_point(values: NDArray, region: Region) -> tuple[float, float]:
    """Compute the centre (x, y), in pixels, of the first cell with the most attention."""
    height, width = values.shape
    row, col = np.unravel_index(int(np.argmax(values)), values.shape)
    x1, y1, x2, y2 = region
    return (
        float(x1 + (col + 0.5) * (x2 - x1) / width),
        float(y1 + (row + 0.5) * (y2 - y1) / height),
    )


def scale_region(region: Region, old: Sequence[int], new: Sequence[int]) -> Region:
    """Scale a region with its photograph from size ``old`` to ``new``, both (H, W)."""
    y_scale, x_scale = new[0] / old[0], new[1] / old[1]
    x1, y1, x2, y2 = region
    return x1 * x_scale, y1 * y_scale, x2 * x_scale, y2 * y_scale
