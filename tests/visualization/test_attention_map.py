import numpy as np
import pytest

from mmmsf.visualization import ClassAttention, draw_attention
from mmmsf.visualization.attention_map import overlay


def corner_map(side: int, row: int, col: int) -> np.ndarray:
    values = np.zeros((side, side), np.float32)
    values[row, col] = 1.0
    return values


def test_overlay_is_brightest_at_the_maximum_and_keeps_the_colours() -> None:
    red = np.zeros((40, 40, 3), np.uint8)
    red[..., 0] = 200
    out = overlay(red, corner_map(4, 0, 3), (0, 0, 40, 40)).astype(int)
    row, col = np.unravel_index(out.sum(axis=2).argmax(), (40, 40))
    assert row < 10 and col >= 30
    assert out[39, 0, 0] > out[39, 0, 2]  # still red, not blue, where there is no attention
    assert (red[..., 0] == 200).all()


def test_panels_are_photograph_scales_and_sum() -> None:
    image = np.full((20, 40, 3), (10, 20, 200), np.uint8)
    rows = [
        ClassAttention('cat 0.90', [corner_map(4, 0, 0), corner_map(2, 1, 1)]),
        ClassAttention(
            'a very long name of a class 0.12', [corner_map(4, 3, 3), corner_map(2, 0, 0)]
        ),
    ]
    picture = np.asarray(draw_attention(image, rows, size=120))
    step, top = 126, 16
    assert picture[top + 30, 6 + 60].tolist() == [10, 20, 200]

    def panel(row: int, column: int) -> np.ndarray:
        y, x = top + row * (60 + 16 + 6), 6 + column * step
        return picture[y : y + 60, x : x + 120].astype(int).sum(axis=2)

    assert panel(0, 1)[:20, :40].mean() > panel(0, 1)[40:, 80:].mean()
    assert panel(1, 1)[:20, :40].mean() < panel(1, 1)[40:, 80:].mean()
    for column in (1, 2):  # the sum shows both
        spot = np.unravel_index(panel(0, column).argmax(), (60, 120))
        assert panel(0, 3)[spot] > np.median(panel(0, 3))


def test_total_sums_to_one() -> None:
    row = ClassAttention('', [corner_map(4, 0, 0), corner_map(2, 1, 1)])
    assert row.total.shape == (4, 4)
    assert row.total.sum() == pytest.approx(1.0)


def test_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match='`rows` must hold at least one class'):
        draw_attention(np.zeros((4, 4, 3), np.uint8), [])
