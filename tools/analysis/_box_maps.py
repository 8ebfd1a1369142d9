"""Attention maps with the boxes of their class, without the photograph."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import NDArray

from mmmsf.visualization.attention_geometry import Region
from mmmsf.visualization.attention_map import COLORMAP

_CELL = 1.5  # side of one map in inches


@dataclass(frozen=True)
class BoxMaps:
    """Hold the maps and boxes of one class of one image.

    Attributes:
        title: Text beside the maps.
        maps: (h_i, w_i) each.
        boxes: Boxes of the class, (x1, y1, x2, y2) in pixels of the image.
        region: Part (x1, y1, x2, y2) of the image that the maps cover.
    """

    title: str
    maps: Sequence[NDArray]
    boxes: Sequence[tuple[float, float, float, float]]
    region: Region


def draw_box_maps(rows: Sequence[BoxMaps], path: str | Path) -> None:
    """Draw one row for each class of an image, every map scaled to its own maximum.

    Cells are drawn without interpolation. The picture may be published where the photographs may
    not.

    Args:
        rows: At least one, all with the same number of maps.
        path: Picture to write.

    Raises:
        ValueError: There is no row.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    if not rows:
        raise ValueError('there is nothing to draw')
    count = len(rows[0].maps)
    figure = Figure(figsize=((count + 0.7) * _CELL, len(rows) * _CELL), layout='constrained')
    for line, axes in zip(rows, figure.subplots(len(rows), count, squeeze=False), strict=True):
        x1, y1, x2, y2 = line.region
        for ax, values in zip(axes, line.maps, strict=True):
            ax.imshow(values, cmap=COLORMAP, vmin=0, extent=(x1, x2, y2, y1), aspect='auto')
            for left, top, right, bottom in line.boxes:
                ax.add_patch(
                    Rectangle(
                        (left, top),
                        right - left,
                        bottom - top,
                        fill=False,
                        edgecolor='cyan',
                        linewidth=1,
                    )
                )
            ax.set(xlim=(x1, x2), ylim=(y2, y1), xticks=[], yticks=[])
        axes[0].set_ylabel(line.title, rotation=0, ha='right', va='center', fontsize=8)
    figure.savefig(path, dpi=100)
