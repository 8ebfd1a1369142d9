"""Fully connected layer in which each group of classes reads features of its own."""

import torch
from torch import Tensor, nn

from .group_linear import split_classes


class GroupFullyConnected(nn.Module):
    """Score the classes of each group from the group's features.

    A group owns n = ceil(K / num_groups) neighbouring classes. Where K is not a
    multiple of n, the last group owns fewer; its surplus weights take no part.
    Groups that would own no class at all are not made: G = ceil(K / n) remain.

    Source: Ridnik et al., "ML-Decoder: Scalable and Versatile Classification
    Head", WACV 2023.

    Args:
        num_classes: classes K.
        num_groups: wanted number of groups; above K it counts as K.
        in_channels: features of a group.

    Raises:
        ValueError: a number is below 1.
    """

    def __init__(self, num_classes: int, num_groups: int, in_channels: int) -> None:
        super().__init__()
        if in_channels < 1:
            raise ValueError(f'`in_channels` must be at least 1, got {in_channels}')
        self.num_classes = num_classes
        self.group_size, self.num_groups = split_classes(num_classes, num_groups)
        self.weight = nn.Parameter(torch.empty(self.num_groups, in_channels, self.group_size))
        self.bias = nn.Parameter(torch.zeros(num_classes))
        nn.init.xavier_normal_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, K) of group features (B, G, C)."""
        scores = torch.einsum('bgc,gcn->bgn', x, self.weight)
        return scores.flatten(1)[:, : self.num_classes] + self.bias
