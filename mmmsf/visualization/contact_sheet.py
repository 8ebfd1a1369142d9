"""Contact sheets: images with their right, missed and false labels."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

RIGHT, MISSED, FALSE = (34, 139, 34), (217, 119, 6), (200, 30, 30)
_MARGIN, _LINE, _FONT_SIZE = 6, 16, 12
_LEGEND = (('right', RIGHT), ('missed', MISSED), ('false', FALSE))


@dataclass
class Tile:
    """Hold one image and its predicted and missed labels.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        title: Text above the labels, usually the file name.
        right: Names of labels that are true and predicted.
        missed: Names of labels that are true and not predicted.
        false: Names of labels that are predicted and not true.
    """

    image: np.ndarray
    title: str = ''
    right: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)


@lru_cache(maxsize=4)
def label_font(size: int) -> ImageFont.FreeTypeFont:
    """Load the font of labels and titles in a size in pixels."""
    # Matplotlib ships a font with many scripts; the system may have none.
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / 'fonts/ttf/DejaVuSans.ttf', size)


def _flow(
    labels: Sequence[tuple[str, tuple[int, int, int]]], width: int
) -> list[tuple[int, int, str, tuple[int, int, int]]]:
    """Place words left to right, breaking lines at ``width``: (x, line, word, colour) each."""
    x, line, placed = 0, 0, []
    for word, color in labels:
        advance = int(label_font(_FONT_SIZE).getlength(word + '  '))
        if x and x + advance > width:
            x, line = 0, line + 1
        placed.append((x, line, word, color))
        x += advance
    return placed


def draw_tile(tile: Tile, size: int = 160) -> Image.Image:
    """Draw one image with its labels below.

    Args:
        tile: Image and its labels.
        size: Width of the picture and height of its image part, in pixels.

    Returns:
        RGB picture, ``size`` wide and as high as its labels require.
    """
    labels = (
        [(name, RIGHT) for name in tile.right]
        + [(name, MISSED) for name in tile.missed]
        + [(name, FALSE) for name in tile.false]
    )
    placed = _flow(labels or [('(no label)', (110, 110, 110))], size)
    height = size + _MARGIN + _LINE * (placed[-1][1] + 2)
    canvas = Image.new('RGB', (size, height), 'white')
    image = Image.fromarray(np.ascontiguousarray(tile.image))
    scale = size / max(image.size)
    image = image.resize(
        [max(1, round(side * scale)) for side in image.size],
        Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR,
    )
    canvas.paste(image, ((size - image.width) // 2, (size - image.height) // 2))
    draw = ImageDraw.Draw(canvas)
    draw.text((0, size + _MARGIN), tile.title, fill=(110, 110, 110), font=label_font(10))
    for x, line, word, color in placed:
        draw.text(
            (x, size + _MARGIN + _LINE * (line + 1)), word, fill=color, font=label_font(_FONT_SIZE)
        )
    return canvas


def draw_contact_sheet(tiles: Sequence[Tile], columns: int = 6, size: int = 160) -> Image.Image:
    """Draw tiles side by side under a legend of the colours.

    Args:
        tiles: At least one.
        columns: Tiles in a row.
        size: Width of a tile in pixels.

    Returns:
        RGB picture.

    Raises:
        ValueError: There is no tile.
    """
    if not tiles:
        raise ValueError('`tiles` must hold at least one tile')
    pictures = [draw_tile(tile, size) for tile in tiles]
    rows = [pictures[i : i + columns] for i in range(0, len(pictures), columns)]
    heights = [max(picture.height for picture in row) + 2 * _MARGIN for row in rows]
    top = _LINE + 2 * _MARGIN
    width = min(columns, len(pictures)) * (size + 2 * _MARGIN)
    sheet = Image.new('RGB', (width, top + sum(heights)), 'white')
    draw = ImageDraw.Draw(sheet)
    for x, _, word, color in _flow(_LEGEND, width):
        draw.text((_MARGIN + x, _MARGIN), word, fill=color, font=label_font(_FONT_SIZE))
    y = top
    for row, height in zip(rows, heights, strict=True):
        for column, picture in enumerate(row):
            sheet.paste(picture, (_MARGIN + column * (size + 2 * _MARGIN), y))
        y += height
    return sheet
