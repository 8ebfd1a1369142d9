import numpy as np
import pytest
from PIL import Image

from mmmsf.visualization import Tile, draw_contact_sheet, draw_tile
from mmmsf.visualization.contact_sheet import FALSE, MISSED, RIGHT

BLOCK = '\N{FULL BLOCK}'  # a glyph with pixels of the full colour


def colours(picture: Image.Image) -> set[tuple[int, ...]]:
    return {color for _, color in picture.getcolors(1 << 20)}


def test_labels_are_told_apart_by_colour() -> None:
    image = np.full((8, 16, 3), 255, np.uint8)
    assert {RIGHT, MISSED, FALSE} <= colours(
        draw_tile(Tile(image, right=[BLOCK], missed=[BLOCK], false=[BLOCK]))
    )
    assert colours(draw_tile(Tile(image, right=[BLOCK]))) & {RIGHT, MISSED, FALSE} == {RIGHT}


def test_image_keeps_its_shape_and_colour() -> None:
    image = np.zeros((10, 20, 3), np.uint8)
    image[..., 0] = 200
    picture = np.asarray(draw_tile(Tile(image), size=100))
    red = (picture == (200, 0, 0)).all(-1)
    rows, cols = np.nonzero(red)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (25, 74, 0, 99)


def test_many_labels_make_the_tile_higher() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    low = draw_tile(Tile(image, right=['a']))
    high = draw_tile(Tile(image, right=[f'label {i}' for i in range(20)]))
    assert high.height > low.height
    assert high.width == low.width


def test_sheet_layout() -> None:
    tile = Tile(np.zeros((4, 4, 3), np.uint8), right=['a'])
    one_row, two_rows = draw_contact_sheet([tile] * 3, 3), draw_contact_sheet([tile] * 4, 3)
    assert one_row.width == two_rows.width
    assert two_rows.height > one_row.height
    with pytest.raises(ValueError, match='at least one tile'):
        draw_contact_sheet([])
