"""Does the attention of a class fall on the objects of that class?

The pointing game of Zhang et al., "Top-Down Neural Attention by Excitation Backprop", ECCV 2016,
without its tolerance around the boxes, and the share of the attention that lies inside them.
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
    """One true class of one image, judged.

    Attributes:
        hits: for each map whether its strongest cell's centre is inside a box of the class.
        masses: for each map the share of its attention inside these boxes, 0 to 1.
        chance: share of the image inside these boxes, 0 to 1.
        size: 0 unknown, 1 small, 2 medium, 3 large.
    """

    hits: tuple[bool, ...]
    masses: tuple[float, ...]
    chance: float
    size: int = 0


def inside(point: tuple[float, float], boxes: Sequence[Box]) -> bool:
    """Whether (x, y) lies in one of the boxes (x1, y1, x2, y2), edges included."""
    return any(x1 <= point[0] <= x2 and y1 <= point[1] <= y2 for x1, y1, x2, y2 in boxes)


def coverage(
    boxes: Sequence[Box], region: Region, grid: tuple[int, int], samples: int = 8
) -> NDArray[np.float64]:
    """Share of each map cell that the boxes cover together.

    Args:
        boxes: (x1, y1, x2, y2) in pixels; overlaps count once.
        region: the part of the image that the map covers.
        grid: (h, w) of the map.
        samples: points on each axis of a cell at which it is looked.

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
    """Judge one class's maps.

    Args:
        maps: (h_i, w_i) each, every map sums to one.
        boxes: of this class, (x1, y1, x2, y2) in pixels of the image.
        region: the part (x1, y1, x2, y2) of the image that the maps cover.
        size: 0 unknown, 1 small, 2 medium, 3 large.

    Returns:
        The judgement, or None where no box reaches into the region.
    """
    # A grid much finer than any map, so that small boxes weigh what they cover
    chance = float(coverage(boxes, region, (32, 32)).mean())
    if not chance:
        return None
    return Pair(
        hits=tuple(inside(strongest_point(x, region), boxes) for x in maps),
        masses=tuple(
            float(
                (
                    x
                    * coverage(
                        boxes, region, (x.shape[0], x.shape[1]), max(8, -(-256 // max(x.shape)))
                    )
                ).sum()
            )
            for x in maps
        ),
        chance=chance,
        size=size,
    )


def tabulate(pairs: Sequence[Pair], names: Sequence[str], num_scales: int) -> str:
    """Write the shares as a Markdown table, all sizes first.

    Args:
        pairs: judged pairs.
        names: of the maps, the scales first, then perhaps their sum.
        num_scales: how many of the maps are scales; the last column says in what share of the
            pairs each scale has more of its attention in the boxes than the others.

    Returns:
        The table: for each size and map the hits, the attention inside, and by chance.

    Raises:
        ValueError: there is no pair.
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
