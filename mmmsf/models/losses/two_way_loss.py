"""Two-way multi-label loss, which compares classes within images and images within classes."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmmsf.registry import MODELS

from .base import MultiLabelLoss
from .reduction import UNKNOWN, float_pair, is_target, reduce_loss


def _soft_maximum(logits: Tensor, weight: Tensor, temperature: float, dim: int) -> Tensor:
    """Compute T log sum w exp(x / T) along ``dim``, and 0 where all weights are 0."""
    exponents = logits / temperature + weight.log()
    empty = (weight == 0).all(dim, keepdim=True)
    return temperature * exponents.masked_fill(empty, 0).logsumexp(dim).masked_fill(
        empty.squeeze(dim), 0
    )


def two_way_terms(
    pred: Tensor, target: Tensor, dim: int, temp_pos: float = 4.0, temp_neg: float = 1.0
) -> tuple[Tensor, Tensor]:
    r"""Compute the loss of every image (``dim=1``) or of every class (``dim=0``).

    .. math::
        L = \log(1 + \exp(T_+ \log \sum y e^{-x / T_+} + T_- \log \sum (1 - y) e^{x / T_-})),

    with sums over the known classes of an image, or the images for which a class is known.

    Args:
        pred: Logits x (B, K).
        target: Targets y (B, K): 1 positive, 0 negative, in between for soft labels, -1 unknown.
        dim: Dimension of the sums.
        temp_pos: Temperature of the positives.
        temp_neg: Temperature of the negatives.

    Returns:
        Losses (B,) or (K,), float32 or wider: 0 without a positive or without a negative, NaN
        with a target that is NaN or outside [0, 1]. Bools of the same shape, False without a
        positive.

    Raises:
        ValueError: The shapes differ.
    """
    logits, target = float_pair(pred, target)
    target = target.masked_fill(~is_target(target), torch.nan)
    unknown = target == UNKNOWN
    positive = target.clamp(0, 1)  # mixed targets leave [0, 1] by rounding; -1 becomes 0
    negative = (1 - positive).masked_fill(unknown, 0)
    gap = _soft_maximum(-logits, positive, temp_pos, dim) + _soft_maximum(
        logits, negative, temp_neg, dim
    )
    counts = (positive != 0).any(dim)
    return F.softplus(gap).masked_fill(~(counts & (negative != 0).any(dim)), 0), counts


@MODELS.register_module()
class TwoWayLoss(MultiLabelLoss):
    """Two-way loss: in every image positives above negatives, for every class likewise.

    The sum of two means: over the images that have a positive, and over the classes that have
    one in the batch of this process; see :func:`two_way_terms` for a summand. Larger batches
    have more images to compare.

    In a config: ``model = dict(head=dict(loss=dict(type='mmmsf.TwoWayLoss')))``.

    Source: Kobayashi, "Two-Way Multi-Label Loss", CVPR 2023; the temperatures are those of the
    author's code. The extension to soft labels is ours.

    Args:
        temp_pos: Temperature of the positives: a smaller one looks at the lowest of them only.
        temp_neg: Temperature of the negatives.
        reduction: ``'mean'``, or ``'sum'`` for sums instead of means.
        loss_weight: Factor on the result.

    Raises:
        ValueError: A temperature is not positive, or ``reduction`` is another.
    """

    def __init__(
        self,
        temp_pos: float = 4.0,
        temp_neg: float = 1.0,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(reduction, loss_weight)
        for name, value in (('temp_pos', temp_pos), ('temp_neg', temp_neg)):
            if not value > 0:
                raise ValueError(f'`{name}` must be positive, got {value}')
        self.temp_pos = temp_pos
        self.temp_neg = temp_neg
        self._check(reduction)

    def _check(self, reduction: str) -> None:
        if reduction not in ('mean', 'sum'):
            raise ValueError(
                f"`reduction` of TwoWayLoss must be 'mean' or 'sum', got {reduction!r}: an element "
                'has no loss of its own'
            )

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Compute the loss.

        Args:
            pred: Logits (B, K).
            target: Targets (B, K): 0 to 1, or -1 for unknown.
            weight: Only None: the loss has no elements to weight.
            avg_factor: Batch size from MMPretrain's heads, without effect: images and classes
                have divisors of their own.
            reduction_override: Reduction used instead of ``reduction``.

        Returns:
            A scalar; 0 without positives.

        Raises:
            ValueError: ``weight`` is given, the reduction is ``'none'``, or ``avg_factor`` comes
                with ``'sum'``.
        """
        if weight is not None:
            raise ValueError('`weight` of TwoWayLoss must be None: it has no loss of an element')
        reduction = reduction_override or self.reduction
        self._check(reduction)
        total = pred.new_zeros((), dtype=torch.float32)
        for dim in (0, 1):
            terms, counts = two_way_terms(pred, target, dim, self.temp_pos, self.temp_neg)
            divisor = counts.sum().clamp(min=1) if reduction == 'mean' else avg_factor
            total = total + reduce_loss(terms, None, reduction, divisor)
        return self.loss_weight * total
