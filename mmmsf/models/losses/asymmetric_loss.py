"""Asymmetric loss for multi-label classification, computed from logits (Eq 12)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmmsf.registry import MODELS

REDUCTIONS = ('none', 'mean', 'sum')


def _focus(probability: Tensor, gamma: float, detach: bool) -> Tensor:
    """Compute ``probability ** gamma``, with a finite slope at 0 for gamma below 1."""
    if detach:
        probability = probability.detach()
    tiny = torch.finfo(probability.dtype).tiny
    return probability.clamp(min=tiny) ** gamma


def asymmetric_loss(
    pred: Tensor,
    target: Tensor,
    gamma_pos: float = 0.0,
    gamma_neg: float = 4.0,
    clip: float = 0.0,
    detach_focus: bool = True,
) -> Tensor:
    r"""Compute the asymmetric loss of each element.

    With :math:`p = \sigma(x)` and :math:`p_m = \max(p - m, 0)`,

    .. math::
        L = -y (1 - p)^{\gamma_+} \log p - (1 - y) p_m^{\gamma_-} \log(1 - p_m).

    Source: Ridnik et al., "Asymmetric Loss For Multi-Label Classification",
    ICCV 2021; with m = 0, Eq 12 of Zhong et al. The logarithms are log-sigmoids
    of the logit in at least float32, not logarithms of a clamped probability, so
    the loss is finite for any finite logit, under autocast too.

    Args:
        pred: Logits x of any shape.
        target: Targets y of the same shape: 1 positive, 0 negative, in between for soft labels;
            below 0 ignored.
        gamma_pos: Focusing exponent of the positives.
        gamma_neg: Focusing exponent of the negatives.
        clip: Probability margin m of the negatives.
        detach_focus: If True, the focusing weights are constants in the backward pass.

    Returns:
        Loss of the shape of ``pred``, float32 or wider; 0 where ignored.

    Raises:
        ValueError: The shapes differ.
    """
    if pred.shape != target.shape:
        raise ValueError(
            '`pred` and `target` must have the same shape, got '
            f'{tuple(pred.shape)} and {tuple(target.shape)}'
        )
    with torch.autocast(pred.device.type, enabled=False):
        logits = pred.to(torch.promote_types(pred.dtype, torch.float32))
        target = target.to(logits.dtype)
        # Beyond this bound a probability is 0 or 1. Clamping sets its slope to 0 there: a large
        # loss times the slope of the focus would be infinity times 0.
        bound = -math.log(torch.finfo(logits.dtype).tiny)
        saturated = logits.clamp(-bound, bound)
        positive, negative = saturated.sigmoid(), (-saturated).sigmoid()
        log_positive, log_negative = F.logsigmoid(logits), F.logsigmoid(-logits)
        if clip > 0:
            positive = (positive - clip).clamp(min=0)
            log_negative = (negative + clip).clamp(max=1).log()
        if gamma_pos > 0:
            log_positive = log_positive * _focus(negative, gamma_pos, detach_focus)
        if gamma_neg > 0:
            log_negative = log_negative * _focus(positive, gamma_neg, detach_focus)
        loss = -(target * log_positive + (1 - target) * log_negative)
        return loss.where(target >= 0, torch.zeros_like(loss))


def reduce_loss(
    loss: Tensor, weight: Tensor | None, reduction: str, avg_factor: float | None
) -> Tensor:
    """Weight and reduce elementwise losses.

    Args:
        loss: Losses (B, K) or (B,).
        weight: One weight per image (B,), or per element (the shape of ``loss``).
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        avg_factor: Divisor of the sum with ``'mean'``, instead of the number of elements.

    Returns:
        The weighted losses with ``'none'``, else a scalar.

    Raises:
        ValueError: ``reduction`` is unknown, or ``avg_factor`` comes with ``'sum'``.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f'`reduction` must be one of {REDUCTIONS}, got {reduction!r}')
    if weight is not None:
        loss = loss * (weight[:, None] if weight.dim() < loss.dim() else weight)
    if reduction == 'none':
        return loss
    if reduction == 'sum':
        if avg_factor is not None:
            raise ValueError("`avg_factor` cannot be used with reduction='sum'")
        return loss.sum()
    return loss.mean() if avg_factor is None else loss.sum() / avg_factor


@MODELS.register_module()
class AsymmetricLoss(nn.Module):
    """Asymmetric loss; see :func:`asymmetric_loss` for the formula and the source.

    MMPretrain's heads pass ``avg_factor`` = batch size, so in training the loss
    is a sum over classes and a mean over images. Eq 12 also divides by the number
    of classes, a constant to which AdamW is nearly invariant. ``gamma_pos=0,
    gamma_neg=0, clip=0`` is binary cross-entropy with ignored targets.

    Args:
        gamma_pos: Focusing exponent of the positives.
        gamma_neg: Focusing exponent of the negatives.
        clip: Probability margin of the negatives, 0 in the paper.
        detach_focus: If True, the focusing weights are constants in the backward pass.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight: Factor on the result.

    Raises:
        ValueError: An exponent is negative, ``clip`` is outside [0, 1) or
            ``reduction`` is unknown.
    """

    def __init__(
        self,
        gamma_pos: float = 0.0,
        gamma_neg: float = 4.0,
        clip: float = 0.0,
        detach_focus: bool = True,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if gamma_pos < 0 or gamma_neg < 0:
            raise ValueError(
                f'`gamma_pos` and `gamma_neg` must not be negative, got {gamma_pos} and {gamma_neg}'
            )
        if not 0 <= clip < 1:
            raise ValueError(f'`clip` must be in [0, 1), got {clip}')
        if reduction not in REDUCTIONS:
            raise ValueError(f'`reduction` must be one of {REDUCTIONS}, got {reduction!r}')
        self.gamma_pos = gamma_pos
        self.gamma_neg = gamma_neg
        self.clip = clip
        self.detach_focus = detach_focus
        self.reduction = reduction
        self.loss_weight = loss_weight

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
            target: Targets (B, K): 1 positive, 0 negative, below 0 ignored.
            weight: One weight per image (B,), or per element (B, K).
            avg_factor: Divisor that replaces the number of elements.
            reduction_override: Reduction used instead of ``reduction``.

        Returns:
            A scalar, or (B, K) with reduction ``'none'``.
        """
        loss = asymmetric_loss(
            pred, target, self.gamma_pos, self.gamma_neg, self.clip, self.detach_focus
        )
        return self.loss_weight * reduce_loss(
            loss, weight, reduction_override or self.reduction, avg_factor
        )
