"""Group-wise linear layer: one weight vector and one bias for each class."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def split_classes(num_classes: int, num_groups: int | None) -> tuple[int, int]:
    """Deal neighbouring classes out to groups of n = ceil(K / num_groups) classes.

    Args:
        num_classes: classes K.
        num_groups: wanted number of groups; None, like a number above K, gives
            every class its own.

    Returns:
        n, and the number of groups that own a class, ceil(K / n); the last of
        them may own fewer than n.

    Raises:
        ValueError: a number is below 1.
    """
    num_groups = num_classes if num_groups is None else num_groups
    for name, value in (('num_classes', num_classes), ('num_groups', num_groups)):
        if value < 1:
            raise ValueError(f'`{name}` must be at least 1, got {value}')
    group_size = -(-num_classes // num_groups)
    return group_size, -(-num_classes // group_size)


class GroupLinear(nn.Module):
    """Score every class from the features of its group, without mixing groups (Eq 11).

    The weights are those of the classes, whatever the groups: layers that differ
    only in ``num_groups`` have the same parameters.

    Args:
        num_classes: classes K.
        in_channels: features C of a group.
        num_groups: see :func:`split_classes`.

    Raises:
        ValueError: a number of classes or groups is below 1.
    """

    def __init__(self, num_classes: int, in_channels: int, num_groups: int | None = None) -> None:
        super().__init__()
        self.group_size, self.num_groups = split_classes(num_classes, num_groups)
        self.weight = nn.Parameter(torch.empty(num_classes, in_channels))
        self.bias = nn.Parameter(torch.empty(num_classes))
        bound = 1 / math.sqrt(in_channels)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Score features.

        Args:
            x: (B, G, C), a row for each group; with a group for each class also
                (B, 1, C), which all classes share: a plain linear layer.

        Returns:
            Logits of shape (B, K).
        """
        if self.group_size == 1:
            return (x * self.weight).sum(dim=-1) + self.bias
        K, _ = self.weight.shape
        surplus = self.num_groups * self.group_size - K
        weight = F.pad(self.weight, (0, 0, 0, surplus)).unflatten(0, (self.num_groups, -1))
        scores = torch.einsum('bgc,gnc->bgn', x, weight)  # (B, G, n)
        return scores.flatten(1)[:, :K] + self.bias
