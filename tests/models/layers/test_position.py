import pytest
import torch

from mmmsf.models.layers import LearnedPositionEncoding, sine_position_encoding
from mmmsf.models.layers.position import resample_table
from tests.helpers import reference


def test_column_half_comes_first() -> None:
    encoding = LearnedPositionEncoding(6, 1, 10)
    (pos,) = encoding([(3, 4)])
    assert pos.shape == (12, 6)
    for row in range(3):
        for col in range(4):
            expected = torch.cat([encoding.col_embed[col], encoding.row_embed[row]])
            torch.testing.assert_close(pos[row * 4 + col], expected)


def test_resampling_keeps_the_ends_and_is_linear_between() -> None:
    table = torch.tensor([[0.0], [2.0], [6.0]])
    torch.testing.assert_close(
        resample_table(table, 5), torch.tensor([[0.0], [1.0], [2.0], [4.0], [6.0]])
    )
    torch.testing.assert_close(resample_table(table, 3), table)


def test_beyond_the_table_no_row_repeats(capture_log: list[str]) -> None:
    encoding = LearnedPositionEncoding(4, 1, 5).eval()
    (first,) = encoding([(8, 1)])
    encoding([(8, 1)])
    assert len(torch.unique(first, dim=0)) == 8
    torch.testing.assert_close(first[-1, 2:], encoding.row_embed[-1])
    assert [line for line in capture_log if 'from 5x1 to 8x1' in line] == capture_log[:1]
    assert len(capture_log) == 1


def test_a_size_other_than_the_trained_one_is_interpolated(capture_log: list[str]) -> None:
    trained = LearnedPositionEncoding(4, 2, 10)
    trained([(4, 4), (2, 2)])
    loaded = LearnedPositionEncoding(4, 2, 10).eval()
    loaded.load_state_dict(trained.state_dict())
    large, small = loaded([(7, 7), (2, 2)])
    torch.testing.assert_close(large[::7, 2:], resample_table(trained.row_embed[:4], 7))
    torch.testing.assert_close(small[::2, 2:], trained.row_embed[:2])
    assert len(capture_log) == 1
    assert 'branch 0 interpolated from 4x4 to 7x7' in capture_log[0]


def test_evaluation_does_not_set_the_trained_size() -> None:
    encoding = LearnedPositionEncoding(4, 1, 10).eval()
    encoding([(4, 4)])
    assert encoding.trained_grid.tolist() == [[0, 0]]
    encoding.train()([(6, 5)])
    assert encoding.trained_grid.tolist() == [[6, 5]]


def test_a_table_of_another_length_is_resampled(capture_log: list[str]) -> None:
    source, target = LearnedPositionEncoding(4, 1, 8), LearnedPositionEncoding(4, 1, 5)
    target.load_state_dict(source.state_dict())
    torch.testing.assert_close(target.row_embed, resample_table(source.row_embed, 5))
    assert any('8 positions, the model 5' in line for line in capture_log)


@pytest.mark.parametrize('length', [20, 12, 7])
def test_a_trained_place_keeps_its_entry_in_a_table_of_another_length(length: int) -> None:
    trained, loaded = LearnedPositionEncoding(4, 2, 12), LearnedPositionEncoding(4, 2, length)
    expected = trained([(7, 6), (3, 3)])
    loaded.load_state_dict(trained.state_dict())
    torch.testing.assert_close(loaded.eval()([(7, 6), (3, 3)]), expected)


def test_a_table_shorter_than_the_trained_maps_is_refused() -> None:
    trained, loaded = LearnedPositionEncoding(4, 1, 12), LearnedPositionEncoding(4, 1, 6)
    trained([(7, 5)])
    with pytest.raises(ValueError, match='`num_positions` must be at least 7, .* got 6'):
        loaded.load_state_dict(trained.state_dict())


def test_state_without_the_trained_size_loads() -> None:
    encoding = LearnedPositionEncoding(4, 1, 8)
    state = encoding.state_dict()
    del state['trained_grid']
    encoding.load_state_dict(state)


def test_odd_channels() -> None:
    with pytest.raises(ValueError, match='`embed_dims` must be even, got 5'):
        LearnedPositionEncoding(5, 1)
    with pytest.raises(ValueError, match='`num_positions` must be at least 1, got 0'):
        LearnedPositionEncoding(4, 1, 0)


@pytest.mark.parametrize(
    ('height', 'width', 'embed_dims', 'temperature'),
    [(3, 5, 8, 10000.0), (1, 1, 4, 10000.0), (4, 2, 12, 20.0)],
)
def test_sine_encoding_equals_the_formula(
    height: int, width: int, embed_dims: int, temperature: float
) -> None:
    pos = sine_position_encoding(height, width, embed_dims, temperature, dtype=torch.float64)
    torch.testing.assert_close(pos, reference.sine_position(height, width, embed_dims, temperature))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_narrow_types_are_rounded_double(dtype: torch.dtype) -> None:
    pos = sine_position_encoding(14, 14, 256, dtype=dtype)
    assert pos.dtype == dtype
    expected = sine_position_encoding(14, 14, 256, dtype=torch.float64)
    torch.testing.assert_close(pos.double(), expected, atol=4 * torch.finfo(dtype).eps, rtol=0)


@pytest.mark.parametrize('embed_dims', [0, 6])
def test_sine_encoding_of_a_wrong_width(embed_dims: int) -> None:
    with pytest.raises(ValueError, match=f'positive multiple of 4, got {embed_dims}'):
        sine_position_encoding(2, 2, embed_dims)
