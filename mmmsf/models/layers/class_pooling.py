"""Class-wise pooling: scores of every class at every place, pooled by an attention of their own."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ClassPooling(nn.Module):
    r"""Score every class by the mean and the attention-weighted mean of its scores at the places.

    With the score :math:`s_{kp} = w_k \cdot x_p / |w_k|` of class k at place p, the logit is

    .. math::
        \frac{1}{N} \sum_p s_{kp} + \lambda \sum_p \mathrm{softmax}_p(s_{kp}) s_{kp}.

    Source: Zhu and Wu, "Residual Attention: A Simple but Effective Method for Multi-Label
    Recognition", ICCV 2021, with one head of temperature 1.

    Args:
        num_classes: Number of classes K.
        in_channels: Number of channels C of the map.
        attention_weight: Weight :math:`\lambda` of the second mean, at least 0.

    Raises:
        ValueError: ``in_channels`` is below 1 or ``attention_weight`` is negative.
    """

    def __init__(self, num_classes: int, in_channels: int, attention_weight: float = 0.2) -> None:
        super().__init__()
        if in_channels < 1:
            raise ValueError(f'`in_channels` must be at least 1, got {in_channels}')
        if attention_weight < 0:
            raise ValueError(f'`attention_weight` must be at least 0, got {attention_weight}')
        self.attention_weight = attention_weight
        self.weight = nn.Parameter(torch.empty(num_classes, in_channels))
        bound = 1 / math.sqrt(in_channels)
        nn.init.uniform_(self.weight, -bound, bound)

    @property
    def unit_weight(self) -> Tensor:
        """Weights (K, C), every row of length one."""
        return F.normalize(self.weight, dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Score a map (B, C, h, w); returns logits (B, K)."""
        scores = F.conv2d(x, self.unit_weight[:, :, None, None]).flatten(2)  # (B, K, h * w)
        attended = (scores.softmax(dim=-1) * scores).sum(dim=-1)
        return scores.mean(dim=-1) + self.attention_weight * attended
