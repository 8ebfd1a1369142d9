"""Pointing game: the share of attention that falls on the objects of its class.

The game of Zhang et al., "Top-Down Neural Attention by Excitation Backprop", ECCV 2016,
without its tolerance around the boxes, and the share of the attention inside the boxes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmmsf.datasets.readers.voc_xml import Box
from mmmsf.evaluation.functional.size_aware import SIZE_NAMES
from mmmsf.visualization.attention_geometry import Region, strongest_point


@dataclass(frozen=True)
class Pair:
    """Hold the result for one true class of one image.

    Attributes:
        hits: For each map, True if the centre of its strongest cell is inside a box of the class.
        masses: For each map, the share of its attention inside these boxes, 0 to 1.
        chance: Share of the image inside these boxes, 0 to 1.
        size: 0 unknown, 1 small, 2 medium, 3 large.
    """

    hits: tuple[bool, ...]
    masses: tuple[float, ...]
    chance: float
    size: int = 0


def inside(point: tuple[float, float], boxes: Sequence[Box]) -> bool:
    """Return True for (x, y) in one of the boxes (x1, y1, x2, y2), edges included."""
    return any(x1 <= point[0] <= x2 and y1 <= point[1] <= y2 for x1, y1, x2, y2 in boxes)


def coverage(
    boxes: Sequence[Box], region: Region, grid: tuple[int, int], samples: int = 8
) -> NDArray[np.float64]:
    """Compute the share of each map cell that the boxes cover together.

    Args:
        boxes: (x1, y1, x2, y2) in pixels; overlaps count once.
        region: Part of the image that the map covers.
        grid: (h, w) of the map.
        samples: Sampling points on each axis of a cell.

    Returns:
        (h, w), 0 to 1.
    """
    height, width = grid
    x1, y1, x2, y2 = region
    xs = x1 + (np.arange(width * samples) + 0.5) * (x2 - x1) / (width * samples)
    ys = y1 + (np.arange(height * samples) + 0.5) * (y2 - y1) / (height * samples)
    covered = np.zeros((len(ys), len(xs)), bool)
    for left, top, right, bottom in boxes:
        covered |= np.outer((ys >= top) & (ys <= bottom), (xs >= left) & (xs <= right))
    return covered.reshape(height, samples, width, samples).mean(axis=(1, 3))


def judge(
    maps: Sequence[NDArray], boxes: Sequence[Box], region: Region, size: int = 0
) -> Pair | None:
    """Compare the maps of one class with its boxes.

    Args:
        maps: (h_i, w_i) each, every map sums to one.
        boxes: Boxes of the class, (x1, y1, x2, y2) in pixels of the image.
        region: Part (x1, y1, x2, y2) of the image that the maps cover.
        size: 0 unknown, 1 small, 2 medium, 3 large.

    Returns:
        The pair, or None where no box overlaps the region.
    """
    # A grid finer than any map, for the area of small boxes
    chance = float(coverage(boxes, region, (32, 32)).mean())
    if not chance:
        return None
    hits, masses = [], []
    for x in maps:
        height, width = x.shape
        samples = max(8, -(-256 // max(x.shape)))  # at least 256 points along the longer side
        hits.append(inside(strongest_point(x, region), boxes))
        masses.append(float((x * coverage(boxes, region, (height, width), samples)).sum()))
    return Pair(tuple(hits), tuple(masses), chance, size)


def tabulate(pairs: Sequence[Pair], names: Sequence[str], num_scales: int) -> str:
    """Format the shares as a Markdown table, all sizes first.

    Args:
        pairs: Results of :func:`judge`.
        names: Names of the maps, the scales first, then possibly their sum.
        num_scales: Number of maps that are scales. The last column is the share of the pairs for
            which a scale has the largest share of attention inside the boxes.

    Returns:
        The table, with hits, attention inside and chance for each size and map.

    Raises:
        ValueError: There is no pair.
    """
    if not pairs:
        raise ValueError('there is no pair of an image and a true class with boxes')
    lines = [
        '| size | pairs | map | hit % | attention inside % | chance % | most inside % |',
        '|---|---|---|---|---|---|---|',
    ]
    for size, title in ((None, 'all'), *enumerate(SIZE_NAMES, start=1)):
        chosen = [pair for pair in pairs if size is None or pair.size == size]
        if not chosen:
            continue
        hits = np.array([pair.hits for pair in chosen]).mean(axis=0) * 100
        masses = np.array([pair.masses for pair in chosen])  # (pairs, maps)
        chance = 100 * np.mean([pair.chance for pair in chosen])
        best = np.bincount(masses[:, :num_scales].argmax(axis=1), minlength=num_scales)
        for i, name in enumerate(names):
            preferred = f'{100 * best[i] / len(chosen):.1f}' if i < num_scales else ''
            lines.append(
                f'| {title} | {len(chosen)} | {name} | {hits[i]:.1f} | '
                f'{100 * masses[:, i].mean():.1f} | {chance:.1f} | {preferred} |'
            )
    return '\n'.join(lines)
