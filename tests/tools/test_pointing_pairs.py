import numpy as np
import pytest
from _pointing_pairs import Pair, coverage, inside, judge, tabulate

REGION = (0.0, 0.0, 80.0, 40.0)


def make_map(*cells: tuple[int, int, float]) -> np.ndarray:
    """A map of 4 x 8 cells, 10 px each."""
    values = np.zeros((4, 8))
    for row, col, value in cells:
        values[row, col] = value
    return values


def test_hits_and_masses_by_hand() -> None:
    boxes = [(20.0, 10.0, 30.0, 20.0), (50.0, 0.0, 55.0, 40.0)]  # cell (1, 2); half of column 5
    on, beside = make_map((1, 2, 0.75), (3, 7, 0.25)), make_map((0, 0, 0.6), (2, 5, 0.4))
    pair = judge([on, beside], boxes, REGION, size=2)
    assert pair is not None and pair.hits == (True, False) and pair.size == 2
    assert pair.masses == pytest.approx((0.75, 0.2))
    assert pair.chance == pytest.approx((100 + 200) / (80 * 40))


def test_maps_of_a_cropped_image_lie_on_its_region() -> None:
    pair = judge([make_map((0, 0, 1.0))], [(100.0, 50.0, 110.0, 60.0)], (100, 50, 180, 90))
    assert pair is not None and pair.hits == (True,)
    assert pair.masses == pytest.approx((1.0,))
    assert judge([make_map((0, 0, 1.0))], [(0, 0, 10, 10)], (100, 50, 180, 90)) is None
    assert judge([make_map((0, 0, 1.0))], [], REGION) is None


def test_overlapping_boxes_count_once() -> None:
    box = (0.0, 0.0, 15.0, 10.0)
    covered = coverage([box, box], REGION, (4, 8))
    np.testing.assert_allclose(covered[0, :3], [1.0, 0.5, 0.0])
    assert covered.sum() == pytest.approx(1.5)


def test_edges_are_inside() -> None:
    assert inside((5, 5), [(0, 0, 5, 5)]) and not inside((5, 5.1), [(0, 0, 5, 5)])


def test_table_by_size_and_scale() -> None:
    pairs = [
        Pair((True, False, True), (0.5, 0.1, 0.3), 0.1, 1),
        Pair((False, False, True), (0.2, 0.6, 0.4), 0.3, 1),
        Pair((True, True, True), (0.9, 0.2, 0.5), 0.2, 3),
        Pair((False, True, False), (0.0, 0.1, 0.2), 0.4, 0),
    ]
    lines = tabulate(pairs, ['4 x 8', '2 x 4', 'sum'], 2).splitlines()
    assert lines[2:] == [
        '| all | 4 | 4 x 8 | 50.0 | 40.0 | 25.0 | 50.0 |',
        '| all | 4 | 2 x 4 | 50.0 | 25.0 | 25.0 | 50.0 |',
        '| all | 4 | sum | 75.0 | 35.0 | 25.0 |  |',
        '| small | 2 | 4 x 8 | 50.0 | 35.0 | 20.0 | 50.0 |',
        '| small | 2 | 2 x 4 | 0.0 | 35.0 | 20.0 | 50.0 |',
        '| small | 2 | sum | 100.0 | 35.0 | 20.0 |  |',
        '| large | 1 | 4 x 8 | 100.0 | 90.0 | 20.0 | 100.0 |',
        '| large | 1 | 2 x 4 | 100.0 | 20.0 | 20.0 | 0.0 |',
        '| large | 1 | sum | 100.0 | 50.0 | 20.0 |  |',
    ]
    with pytest.raises(ValueError, match='there is no pair'):
        tabulate([], ['sum'], 0)
