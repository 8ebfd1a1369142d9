"""Hierarchical scale attention between feature maps of several sizes (Eq 2-5)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INTERPOLATIONS = ('bilinear', 'bicubic', 'area', 'nearest')


def resize_map(x: Tensor, size: Sequence[int], mode: str) -> Tensor:
    """Resize a map, with aligned corners where the mode has them.

    Args:
        x: Map (B, C, h, w). The kernels of torch are several times as fast in channels_last.
        size: Wanted (height, width).
        mode: One of :data:`INTERPOLATIONS`.

    Returns:
        Map (B, C, height, width).
    """
    if list(x.shape[-2:]) == list(size):
        return x
    align_corners = True if mode in ('bilinear', 'bicubic') else None
    return F.interpolate(x, size=list(size), mode=mode, align_corners=align_corners)


class HierarchicalScaleAttention(nn.Module):
    """Add the product of all maps to each of them.

    The maps are resized to the first one's size and multiplied; the product is added to each of
    them, and each is resized back (Eq 2-5). Without a gate the module has no parameters.

    Args:
        embed_dims: Number of channels C of every map.
        interpolation: ``'bilinear'``, ``'bicubic'``, ``'area'`` or ``'nearest'`` (Table 6). On a
            GPU torch has no deterministic gradient of ``'bicubic'`` and ``'area'``.
        gate: If True, multiply the product by a learned weight per channel, initially zero. Ours,
            not the paper's: the raw product slows training from scratch.

    Raises:
        ValueError: ``interpolation`` is not one of the four modes.
    """

    def __init__(
        self, embed_dims: int, interpolation: str = 'bilinear', gate: bool = False
    ) -> None:
        super().__init__()
        if interpolation not in INTERPOLATIONS:
            raise ValueError(
                f'`interpolation` must be one of {INTERPOLATIONS}, got {interpolation!r}'
            )
        self.interpolation = interpolation
        self.gate = nn.Parameter(torch.zeros(embed_dims, 1, 1)) if gate else None

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Fuse maps.

        Args:
            maps: Maps (B, C, h_i, w_i), the largest first.

        Returns:
            Fused maps of the same shapes.
        """
        size = maps[0].shape[-2:]
        resized = [resize_map(x, size, self.interpolation) for x in maps]
        product = resized[0]
        for x in resized[1:]:
            product = product * x
        if self.gate is not None:
            product = product * self.gate
        return [
            resize_map(x + product, origin.shape[-2:], self.interpolation)
            for x, origin in zip(resized, maps, strict=True)
        ]
