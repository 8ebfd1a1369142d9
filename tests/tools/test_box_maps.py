from pathlib import Path

import numpy as np
import pytest
from _box_maps import BoxMaps, draw_box_maps
from PIL import Image


def test_a_row_for_each_class_with_maps_and_boxes(tmp_path: Path) -> None:
    """The strong cell is bright, the box is drawn where it lies, and no text is needed for it."""
    values = np.zeros((2, 2))
    values[0, 1] = 1
    row = BoxMaps('', [values], [(2, 12, 8, 18)], (0, 0, 20, 20))
    sizes = []
    for number in (1, 2):
        draw_box_maps([row] * number, tmp_path / 'maps.png')
        with Image.open(tmp_path / 'maps.png') as file:
            picture = np.asarray(file.convert('RGB')).astype(int)
        sizes.append(picture.shape[0])
    assert sizes[1] == 2 * sizes[0]
    height, width, _ = picture[: sizes[0]].shape
    upper_right, lower_left = (
        picture[height // 4, 3 * width // 4],
        picture[3 * height // 4, width // 4],
    )
    assert upper_right.sum() > 600 > 100 > lower_left.sum()
    cyan = (picture[..., 0] < 90) & (picture[..., 1] > 180) & (picture[..., 2] > 180)
    rows, cols = np.nonzero(cyan[: sizes[0]])
    assert rows.min() > height / 2 and cols.max() < width / 2


def test_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='nothing to draw'):
        draw_box_maps([], tmp_path / 'maps.png')
