"""Group-wise linear layer: one weight vector and one bias for each class."""

import math

import torch
from torch import Tensor, nn


class GroupLinear(nn.Module):
    """Score every class from its own features, without mixing classes (Eq 11).

    Args:
        num_classes: classes K.
        in_channels: features of a class.
    """

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_classes, in_channels))
        self.bias = nn.Parameter(torch.empty(num_classes))
        bound = 1 / math.sqrt(in_channels)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Score features.

        Args:
            x: (B, K, C), or (B, 1, C) where all classes share the features;
                the layer is then a plain linear one.

        Returns:
            Logits of shape (B, K).
        """
        return (x * self.weight).sum(dim=-1) + self.bias
