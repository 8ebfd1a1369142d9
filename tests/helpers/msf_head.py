"""Arguments and inputs of small MSF heads."""

import torch
from torch import Tensor

# Profile `authors`, argument by argument.
AUTHORS = dict(position_mode='attention', query_mode='attention', act_cfg=dict(type='GELU'))
SMALL = dict(num_classes=5, embed_dims=8, num_heads=2, feedforward_channels=12, num_positions=10)


def make_feats(
    dtype: torch.dtype = torch.float32, sizes: tuple = ((4, 6), (2, 3), (1, 2)), batch: int = 2
) -> tuple[Tensor, ...]:
    """Make random maps (batch, 8, h, w) of the given sizes."""
    torch.manual_seed(0)
    return tuple(torch.randn(batch, 8, h, w, dtype=dtype) for h, w in sizes)
