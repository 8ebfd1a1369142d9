"""Fixed sine position encoding of a map."""

import math

import torch
from torch import Tensor


def _encode_axis(
    size: int, channels: int, temperature: float, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Sine and cosine of every place on one axis, alternating: (size, channels)."""
    place = torch.arange(1, size + 1, device=device, dtype=dtype) * (2 * math.pi / size)
    exponent = torch.arange(channels // 2, device=device, dtype=dtype) * (2 / channels)
    angle = place[:, None] * temperature**-exponent  # (size, channels / 2)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


def sine_position_encoding(
    height: int,
    width: int,
    embed_dims: int,
    temperature: float = 10000.0,
    device: torch.device | str = 'cpu',
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    r"""Encode rows and columns by waves of falling frequency, row half first.

    Row r of H rows stands at :math:`u = 2 \pi (r + 1) / H`; channels 2j and
    2j + 1 of its C / 2 are :math:`\sin` and :math:`\cos` of
    :math:`u \, T^{-4j/C}`. Columns are encoded alike. A map of another size is
    so stretched onto the same range.

    Source: Carion et al., "End-to-End Object Detection with Transformers",
    ECCV 2020.

    Args:
        height: rows H of the map.
        width: columns W of the map.
        embed_dims: channels C; a multiple of 4.
        temperature: T, the ratio of the highest frequency to the lowest.
        device: where to make the encoding.
        dtype: floating-point type of the encoding.

    Returns:
        (H * W, C), row by row.

    Raises:
        ValueError: ``embed_dims`` is not a positive multiple of 4.
    """
    if embed_dims < 4 or embed_dims % 4:
        raise ValueError(f'`embed_dims` must be a positive multiple of 4, got {embed_dims}')
    half, device = embed_dims // 2, torch.device(device)
    wide = torch.promote_types(dtype, torch.float32)  # half precision would blur the angles
    rows = _encode_axis(height, half, temperature, device, wide)
    cols = _encode_axis(width, half, temperature, device, wide)
    pos = torch.cat(
        [
            rows[:, None].expand(-1, width, -1),  # (H, W, C/2)
            cols[None].expand(height, -1, -1),  # (H, W, C/2)
        ],
        dim=-1,
    )
    return pos.flatten(0, 1).to(dtype)  # (H*W, C)
