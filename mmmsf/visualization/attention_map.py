"""Heat maps of each class's attention over the photograph."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mmmsf.models.heads.attention_maps import sum_maps

from .attention_geometry import Region, place_map, scale_region
from .contact_sheet import label_font

COLORMAP = 'inferno'
NOTE = 'each map scaled to its own maximum'
_GAP, _LINE, _GREY = 6, 16, (90, 90, 90)


@dataclass
class ClassAttention:
    """Hold the attention of one class over one image.

    Attributes:
        title: Text above the photograph, usually the class and its score.
        maps: (h_i, w_i) of each scale, largest first; each sums to one.
    """

    title: str
    maps: Sequence[NDArray]

    @property
    def total(self) -> NDArray:
        """Sum of the scales on the finest grid, (h, w)."""
        return sum_maps([torch.as_tensor(x)[None, None].double() for x in self.maps])[0, 0].numpy()


def overlay(image: NDArray[np.uint8], values: NDArray, region: Region) -> NDArray[np.uint8]:
    """Blend an image with a map: the more attention, the brighter and more opaque the colour.

    Args:
        image: (H, W, 3) uint8 RGB.
        values: (h, w), not negative; upsampled bilinearly, then divided by its maximum.
        region: Part (x1, y1, x2, y2) of the image, in pixels, that the map covers.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    placed = place_map(values, region, (image.shape[0], image.shape[1]))
    placed = placed / max(float(placed.max()), 1e-12)
    colors = matplotlib.colormaps[COLORMAP](placed)[..., :3] * 255  # (H, W, 3)
    alpha = 0.2 + 0.6 * placed[..., None]
    return (image * (1 - alpha) + colors * alpha).round().astype(np.uint8)


def _shrink(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize an image (H, W, 3) so that its longer side has ``size`` pixels."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    scale = size / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    method = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR
    return np.asarray(picture.resize((width, height), method))


def draw_attention(
    image: NDArray[np.uint8],
    rows: Sequence[ClassAttention],
    region: Region | None = None,
    size: int = 160,
) -> Image.Image:
    """Draw one row a class: the photograph, one heat map a scale, and their sum.

    Every heat map is scaled to its own maximum (the picture says so), so colours compare within
    a map, not between maps.

    Args:
        image: (H, W, 3) uint8 RGB.
        rows: At least one class; all with the same scales.
        region: Part of the image that the maps cover, by default all of it.
        size: Longer side of a panel in pixels.

    Returns:
        RGB picture.

    Raises:
        ValueError: There is no row.
    """
    if not rows:
        raise ValueError('`rows` must hold at least one class')
    small = _shrink(image, size)
    height, width = small.shape[:2]
    old = (image.shape[0], image.shape[1])
    region = scale_region(region or (0, 0, old[1], old[0]), old, (height, width))
    # A title must fit over its panel, even over a narrow one
    step, row_height = max(width, 110) + _GAP, _LINE + height + _GAP
    columns = len(rows[0].maps) + 2
    canvas = Image.new(
        'RGB', (_GAP + columns * step, len(rows) * row_height + _LINE + _GAP), 'white'
    )
    draw = ImageDraw.Draw(canvas)
    for number, row in enumerate(rows):
        names = [row.title, *(f'{x.shape[0]} x {x.shape[1]}' for x in row.maps), 'sum']
        panels = [small, *(overlay(small, x, region) for x in (*row.maps, row.total))]
        for column, (name, panel) in enumerate(zip(names, panels, strict=True)):
            x, y = _GAP + column * step, number * row_height
            draw.text((x, y), _fit(name, step - _GAP), fill=_GREY, font=label_font(12))
            canvas.paste(Image.fromarray(panel), (x, y + _LINE))
    draw.text((_GAP, len(rows) * row_height), NOTE, fill=_GREY, font=label_font(10))
    return canvas


def _fit(text: str, width: int) -> str:
    """Shorten a title that is wider than its panel and keep its end, the score."""
    if label_font(12).getlength(text) <= width:
        return text
    tail = text[-8:]
    head = text[:-8]
    while head and label_font(12).getlength(f'{head}…{tail}') > width:
        head = head[:-1]
    return f'{head}…{tail}'
