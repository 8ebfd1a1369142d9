"""Asymmetric polynomial loss for multi-label classification, computed from logits."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmmsf.registry import MODELS

from .asymmetric_loss import AsymmetricLoss
from .reduction import float_pair

# Change of the first two Taylor coefficients of the positives (1 and 1/2) in the authors' code.
AUTHORS_COEFFICIENTS = (-1.0, 1.25)


def positive_polynomial(
    pred: Tensor,
    target: Tensor,
    coefficients: Sequence[float],
    gamma_pos: float = 0.0,
    detach_focus: bool = True,
) -> Tensor:
    r"""Compute the polynomial that is added to the asymmetric loss of each positive element.

    With :math:`q = 1 - \sigma(x)`, :math:`y q^{\gamma_+} \sum_j c_j q^j` for j from 1.

    Args:
        pred: Logits x of any shape.
        target: Targets y of the same shape: 1 positive, 0 negative, in between for soft labels;
            below 0 ignored.
        coefficients: :math:`c_1, c_2, \dots`
        gamma_pos: Focusing exponent of the positives.
        detach_focus: If True, the focusing weight is a constant in the backward pass.

    Returns:
        Terms of the shape of ``pred``, float32 or wider; 0 where the element is no positive.
    """
    with torch.autocast(pred.device.type, enabled=False):
        logits, target = float_pair(pred, target)
        q = (-logits).sigmoid()
        total = torch.zeros_like(q)
        for coefficient in reversed(coefficients):  # Horner's scheme
            total = (total + coefficient) * q
        if gamma_pos > 0:
            focus = (q.detach() if detach_focus else q).clamp(min=torch.finfo(q.dtype).tiny)
            total = total * focus**gamma_pos
        return total * target.clamp(min=0)


@MODELS.register_module()
class PolynomialLoss(AsymmetricLoss):
    r"""Asymmetric loss whose positives have other leading Taylor coefficients.

    The logarithm of a positive is a series in q = 1 - p: :math:`-\log p = q + q^2/2 + \dots`;
    ``coefficients`` are added to its first ones. With the default the positives give
    :math:`-\log p - q + 1.25 q^2` and the negatives the asymmetric loss, as in the training script
    of the authors' code (https://github.com/Zhong1015/TBALN). That code clamps probabilities to
    1e-5 first, so its gradient is 0 for the worst errors; here the logarithm is exact.

    Source: Huang et al., "Asymmetric Polynomial Loss For Multi-Label Classification", ICASSP 2023.

    Args:
        coefficients: Changes of the coefficients of q, q^2 and so on.
        gamma_pos, gamma_neg, clip, detach_focus, reduction, loss_weight: As in
            :class:`AsymmetricLoss`.

    Raises:
        ValueError: As :class:`AsymmetricLoss`.
    """

    def __init__(
        self,
        coefficients: Sequence[float] = AUTHORS_COEFFICIENTS,
        gamma_pos: float = 0.0,
        gamma_neg: float = 4.0,
        clip: float = 0.0,
        detach_focus: bool = True,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(
            gamma_pos=gamma_pos,
            gamma_neg=gamma_neg,
            clip=clip,
            detach_focus=detach_focus,
            reduction=reduction,
            loss_weight=loss_weight,
        )
        self.coefficients = tuple(coefficients)

    def elementwise(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compute the loss (B, K) of each element."""
        return super().elementwise(pred, target) + positive_polynomial(
            pred, target, self.coefficients, self.gamma_pos, self.detach_focus
        )
