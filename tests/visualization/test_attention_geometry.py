import numpy as np
import pytest
from mmpretrain.structures import DataSample

from mmmsf.visualization.attention_geometry import (
    attention_box,
    place_map,
    scale_region,
    strongest_point,
    visible_region,
)


@pytest.mark.parametrize(
    ('meta', 'expected'),
    [
        (dict(ori_shape=(64, 64), img_shape=(64, 64)), (0, 0, 64, 64)),
        (dict(ori_shape=(50, 100), img_shape=(80, 80), scale_factor=(0.8, 1.6)), (0, 0, 100, 50)),
        # Short edge to 100, then a centred crop of 80: half the width plus the margins are lost
        (dict(ori_shape=(50, 100), img_shape=(80, 80), scale_factor=(2.0, 2.0)), (30, 5, 70, 45)),
        (dict(ori_shape=(333, 500), img_shape=(200, 300), scale_factor=0.6), (0, 0, 500, 333)),
    ],
)
def test_region_that_the_network_saw(meta: dict, expected: tuple) -> None:
    assert visible_region(DataSample(metainfo=meta)) == pytest.approx(expected)


def test_map_lies_cell_by_cell_over_its_region() -> None:
    values = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    placed = place_map(values, (2, 4, 11, 10), (12, 13))
    # Cells are 3 x 3 px here, so each centre is a pixel
    assert placed[5:10:3, 3:11:3].tolist() == values.tolist()
    assert placed[5, 4] == pytest.approx(4 / 3)
    outside = placed.copy()
    outside[4:10, 2:11] = 0
    assert not outside.any() and placed[4:10, 2:11].all()


def test_box_is_around_all_strong_cells() -> None:
    values = np.zeros((4, 8))
    values[1, 2] = 1.0
    left, top, right, bottom = attention_box(values, (0, 0, 80, 40), (40, 80), 0.9)
    assert left < 25 < right and top < 15 < bottom and right - left < 10
    values[3, 7] = 0.95
    assert attention_box(values, (0, 0, 80, 40), (40, 80), 0.9)[2:] == (80, 40)
    with pytest.raises(ValueError, match='`fraction` must be above 0'):
        attention_box(values, (0, 0, 80, 40), (40, 80), 0)


def test_point_is_the_centre_of_the_strongest_cell() -> None:
    values = np.zeros((2, 4))
    values[1, 0] = 1.0
    assert strongest_point(values, (10, 0, 50, 20)) == (15, 15)


def test_region_scales_with_its_photograph() -> None:
    assert scale_region((0, 10, 20, 30), (40, 20), (80, 10)) == (0, 20, 10, 60)
