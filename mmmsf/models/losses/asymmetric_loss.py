"""Asymmetric loss for multi-label classification, computed from logits (Eq 12)."""

import math
import warnings
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmmsf.registry import MODELS

from .base import MultiLabelLoss
from .reduction import check_class_weights, class_weights, float_pair, mask_loss


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
    class_weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
) -> Tensor:
    r"""Compute the asymmetric loss of each element.

    With :math:`p = \sigma(x)` and :math:`p_m = \max(p - m, 0)`,

    .. math::
        L = -w [v y (1 - p)^{\gamma_+} \log p + (1 - y) p_m^{\gamma_-} \log(1 - p_m)].

    Source: Ridnik et al., "Asymmetric Loss For Multi-Label Classification",
    ICCV 2021; with m = 0, Eq 12 of Zhong et al. The weights w and v of a class are as in binary
    cross-entropy. The logarithms are log-sigmoids of the logit in at least float32, not
    logarithms of a clamped probability, so the loss is finite for any finite logit, under
    autocast too.

    Args:
        pred: Logits x of any shape.
        target: Targets y of the same shape: 1 positive, 0 negative, in between for soft labels,
            -1 unknown.
        gamma_pos: Focusing exponent of the positives.
        gamma_neg: Focusing exponent of the negatives.
        clip: Probability margin m of the negatives.
        detach_focus: If True, the focusing weights are constants in the backward pass.
        class_weight: Weights w of the classes, (K,) for logits (..., K); 1 by default.
        pos_weight: Weights v of the positives of the classes, (K,); 1 by default.

    Returns:
        Loss of the shape of ``pred``, float32 or wider; 0 where unknown, NaN where the target is
        NaN or outside [0, 1].

    Raises:
        ValueError: The shapes differ, or a weight is not given for each class.
    """
    logits, target = float_pair(pred, target)
    check_class_weights(pred, class_weight=class_weight, pos_weight=pos_weight)
    with torch.autocast(pred.device.type, enabled=False):
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
        if pos_weight is not None:
            log_positive = log_positive * pos_weight
        loss = -(target * log_positive + (1 - target) * log_negative)
        if class_weight is not None:
            loss = loss * class_weight
        return mask_loss(loss, target)


@MODELS.register_module()
class AsymmetricLoss(MultiLabelLoss):
    """Asymmetric loss; see :func:`asymmetric_loss` for the formula and the source.

    MMPretrain's heads pass ``avg_factor`` = batch size, so in training the loss
    is a sum over classes and a mean over images. Eq 12 also divides by the number
    of classes, a constant to which AdamW is nearly invariant. ``gamma_pos=0,
    gamma_neg=0, clip=0`` is binary cross-entropy with unknown targets.

    Configs of MMPretrain's loss of this name work too.

    Args:
        gamma_pos: Focusing exponent of the positives.
        gamma_neg: Focusing exponent of the negatives.
        clip: Probability margin of the negatives, 0 in the paper; None means 0.
        detach_focus: If True, the focusing weights are constants in the backward pass.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight: Factor on the result.
        class_weight: One factor per class; all 1 by default.
        pos_weight: One factor per class on the term of the positives; all 1 by default.
        use_sigmoid: Only True, for MMPretrain's configs.
        eps: Ignored with a warning: MMPretrain's loss clamps probabilities at it, whereas
            the logarithms here need no bound.

    Raises:
        ValueError: An exponent or a weight is negative, ``clip`` is outside [0, 1),
            ``reduction`` is unknown, or ``use_sigmoid`` is False.
    """

    def __init__(
        self,
        gamma_pos: float = 0.0,
        gamma_neg: float = 4.0,
        clip: float | None = 0.0,
        detach_focus: bool = True,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
        class_weight: Sequence[float] | None = None,
        pos_weight: Sequence[float] | None = None,
        use_sigmoid: bool = True,
        eps: float | None = None,
    ) -> None:
        super().__init__(reduction, loss_weight)
        clip = clip or 0.0
        if gamma_pos < 0 or gamma_neg < 0:
            raise ValueError(
                f'`gamma_pos` and `gamma_neg` must not be negative, got {gamma_pos} and {gamma_neg}'
            )
        if not 0 <= clip < 1:
            raise ValueError(f'`clip` must be in [0, 1), got {clip}')
        if not use_sigmoid:
            raise ValueError(
                '`use_sigmoid` must be True, got False: scores of several labels are independent'
            )
        if eps is not None:
            warnings.warn(
                f'`eps`={eps} is ignored: mmmsf.AsymmetricLoss computes log-sigmoids of the '
                'logits, which need no lower bound',
                stacklevel=2,
            )
        self.class_weight: Tensor | None
        self.pos_weight: Tensor | None
        for name, values in (('class_weight', class_weight), ('pos_weight', pos_weight)):
            self.register_buffer(name, class_weights(name, values), persistent=False)
        self.gamma_pos = gamma_pos
        self.gamma_neg = gamma_neg
        self.clip = clip
        self.detach_focus = detach_focus

    def elementwise(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compute the loss (B, K) of each element."""
        return asymmetric_loss(
            pred,
            target,
            self.gamma_pos,
            self.gamma_neg,
            self.clip,
            self.detach_focus,
            self.class_weight,
            self.pos_weight,
        )
