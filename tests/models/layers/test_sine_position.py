import math

import pytest
import torch

from mmmsf.models.layers.sine_position import sine_position_encoding


def slow_encoding(height: int, width: int, embed_dims: int, temperature: float) -> torch.Tensor:
    """The formula, one number at a time."""
    half = embed_dims // 2
    pos = torch.zeros(height, width, embed_dims, dtype=torch.float64)
    for r in range(height):
        for c in range(width):
            for offset, u in ((0, (r + 1) / height), (half, (c + 1) / width)):
                for i in range(half):
                    angle = 2 * math.pi * u / temperature ** (2 * (i // 2) / half)
                    wave = math.cos if i % 2 else math.sin
                    pos[r, c, offset + i] = wave(angle)
    return pos.reshape(height * width, embed_dims)


@pytest.mark.parametrize(
    ('height', 'width', 'embed_dims', 'temperature'),
    [(3, 5, 8, 10000.0), (1, 1, 4, 10000.0), (4, 2, 12, 20.0)],
)
def test_equals_the_formula(height: int, width: int, embed_dims: int, temperature: float) -> None:
    pos = sine_position_encoding(height, width, embed_dims, temperature, dtype=torch.float64)
    torch.testing.assert_close(pos, slow_encoding(height, width, embed_dims, temperature))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_narrow_types_are_rounded_double(dtype: torch.dtype) -> None:
    pos = sine_position_encoding(14, 14, 256, dtype=dtype)
    assert pos.dtype == dtype
    expected = sine_position_encoding(14, 14, 256, dtype=torch.float64)
    torch.testing.assert_close(pos.double(), expected, atol=4 * torch.finfo(dtype).eps, rtol=0)


@pytest.mark.parametrize('embed_dims', [0, 6])
def test_wrong_width(embed_dims: int) -> None:
    with pytest.raises(ValueError, match=f'positive multiple of 4, got {embed_dims}'):
        sine_position_encoding(2, 2, embed_dims)
