"""Group-wise linear layers: the scores of a class come from the features of its group alone."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def split_classes(num_classes: int, num_groups: int | None) -> tuple[int, int]:
    """Split neighbouring classes into groups of n = ceil(K / num_groups) classes.

    Args:
        num_classes: Number of classes K.
        num_groups: Wanted number of groups; None, like a number above K, makes one group a class.

    Returns:
        n, and the number of groups that own a class, ceil(K / n); the last of them may own fewer
        than n classes.

    Raises:
        ValueError: A number is below 1.
    """
    num_groups = num_classes if num_groups is None else num_groups
    for name, value in (('num_classes', num_classes), ('num_groups', num_groups)):
        if value < 1:
            raise ValueError(f'`{name}` must be at least 1, got {value}')
    group_size = -(-num_classes // num_groups)
    return group_size, -(-num_classes // group_size)


class GroupLinear(nn.Module):
    """Score every class from the features of its group, without mixing groups (Eq 11).

    The weights belong to the classes: layers that differ only in ``num_groups`` have the same
    parameters.

    Args:
        num_classes: Number of classes K.
        in_channels: Number of features C of a group.
        num_groups: See :func:`split_classes`.

    Raises:
        ValueError: A number of classes or groups is below 1.
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
            x: Features (B, G, C), one row a group. With one group a class, (B, 1, C) is accepted
                too: all classes share the features, as in a plain linear layer.

        Returns:
            Logits (B, K).
        """
        return self._scores(x, self.weight) + self.bias

    def part_scores(self, x: Tensor, num_parts: int) -> list[Tensor]:
        """Score each part of the features alone.

        The layer sums over the features, so ``num_parts`` times the sum over one part, plus the
        bias, is a score of its own; the mean of these scores is :meth:`forward`.

        Args:
            x: As :meth:`forward`.
            num_parts: Number of equal parts that lie side by side in the C features.

        Returns:
            For each part its logits (B, K).
        """
        features, weights = x.chunk(num_parts, dim=-1), self.weight.chunk(num_parts, dim=-1)
        return [
            num_parts * self._scores(part, weight) + self.bias
            for part, weight in zip(features, weights, strict=True)
        ]

    def _scores(self, x: Tensor, weight: Tensor) -> Tensor:
        """Compute the scores (B, K) of features (B, G, C) under weights (K, C), without bias."""
        if self.group_size == 1:
            return (x * weight).sum(dim=-1)
        K, _ = weight.shape
        surplus = self.num_groups * self.group_size - K
        weight = F.pad(weight, (0, 0, 0, surplus))  # (G * n, C)
        weight = weight.unflatten(0, (self.num_groups, self.group_size))  # (G, n, C)
        scores = torch.einsum('bgc,gnc->bgn', x, weight)  # (B, G, n)
        return scores.flatten(1)[:, :K]


class GroupFullyConnected(nn.Module):
    """Score the classes of each group from the group's features, as in ML-Decoder.

    The function of :class:`GroupLinear` with the weights of the public ML-Decoder, (G, C, n).
    Where K is not a multiple of n, the surplus weights of the last group take no part.

    Source: Ridnik et al., "ML-Decoder: Scalable and Versatile Classification
    Head", WACV 2023.

    Args:
        num_classes: Number of classes K.
        num_groups: See :func:`split_classes`.
        in_channels: Number of features C of a group.

    Raises:
        ValueError: A number is below 1.
    """

    def __init__(self, num_classes: int, num_groups: int | None, in_channels: int) -> None:
        super().__init__()
        if in_channels < 1:
            raise ValueError(f'`in_channels` must be at least 1, got {in_channels}')
        self.num_classes = num_classes
        self.group_size, self.num_groups = split_classes(num_classes, num_groups)
        self.weight = nn.Parameter(torch.empty(self.num_groups, in_channels, self.group_size))
        self.bias = nn.Parameter(torch.zeros(num_classes))
        nn.init.xavier_normal_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Score group features (B, G, C); returns logits (B, K)."""
        scores = torch.einsum('bgc,gcn->bgn', x, self.weight)
        return scores.flatten(1)[:, : self.num_classes] + self.bias
