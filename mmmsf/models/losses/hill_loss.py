"""Hill loss for training sets in which positive labels are missing."""

import torch
from torch import Tensor

from mmmsf.registry import MODELS

from .asymmetric_loss import asymmetric_loss
from .base import MultiLabelLoss
from .reduction import float_pair, mask_loss


def check_focal_margin(margin: float, gamma: float) -> None:
    """Raise ValueError unless both arguments of :func:`focal_margin` are at least 0."""
    for name, value in (('margin', margin), ('gamma', gamma)):
        if not value >= 0:
            raise ValueError(f'`{name}` must be at least 0, got {value}')


def focal_margin(logits: Tensor, margin: float, gamma: float) -> Tensor:
    r"""Compute the loss of positives :math:`-(1 - p_m)^\gamma \log p_m, p_m = \sigma(x - m)`.

    Args:
        logits: Logits x of any shape, float32 or wider.
        margin: Margin m.
        gamma: Focusing exponent.
    """
    ones = torch.ones_like(logits)
    return asymmetric_loss(logits - margin, ones, gamma, gamma_neg=0, detach_focus=False)


def hill_loss(
    pred: Tensor, target: Tensor, lamb: float = 1.5, margin: float = 1.0, gamma: float = 2.0
) -> Tensor:
    r"""Compute the Hill loss of each element.

    With :math:`p = \sigma(x)` and :math:`p_m = \sigma(x - m)`,

    .. math:: L = -y (1 - p_m)^\gamma \log p_m + (1 - y) (\lambda - p) p^2.

    Args:
        pred: Logits x of any shape.
        target: Targets y of the same shape: 1 positive, 0 unmarked, in between for soft labels,
            -1 unknown.
        lamb: :math:`\lambda`.
        margin: Margin m of the positives.
        gamma: Focusing exponent of the positives.

    Returns:
        Loss of the shape of ``pred``, float32 or wider; 0 where unknown, NaN where the target is
        NaN or outside [0, 1].

    Raises:
        ValueError: The shapes differ.
    """
    logits, target = float_pair(pred, target)
    p = logits.sigmoid()
    negative = (lamb - p) * p**2
    return mask_loss(target * focal_margin(logits, margin, gamma) + (1 - target) * negative, target)


@MODELS.register_module()
class HillLoss(MultiLabelLoss):
    """Hill loss: negatives that score high, probably missing positives, have little gradient.

    See :func:`hill_loss` for the formula. The gradient of an unmarked class grows with its score
    up to p = 1/2 and falls beyond; that of binary cross-entropy, the assume-negative baseline
    (``mmmsf.AsymmetricLoss`` with both gammas 0), grows on.

    In a config: ``model = dict(head=dict(loss=dict(type='mmmsf.HillLoss')))``.

    Source: Zhang et al., "Simple and Robust Loss Design for Multi-Label Learning with Missing
    Labels", arXiv:2112.07368, with the defaults of its authors' code. The extension to soft
    labels is ours.

    Args:
        lamb: Weight of the negatives is ``lamb - p``; at least 1.
        margin: Margin of the positives' logits.
        gamma: Focusing exponent of the positives.
        reduction, loss_weight: As in :class:`mmmsf.models.losses.MultiLabelLoss`.

    Raises:
        ValueError: An argument is outside the values above.
    """

    def __init__(
        self,
        lamb: float = 1.5,
        margin: float = 1.0,
        gamma: float = 2.0,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(reduction, loss_weight)
        if not lamb >= 1:
            raise ValueError(f'`lamb` must be at least 1, else a loss is negative, got {lamb}')
        check_focal_margin(margin, gamma)
        self.lamb = lamb
        self.margin = margin
        self.gamma = gamma

    def elementwise(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compute the loss (B, K) of each element."""
        return hill_loss(pred, target, self.lamb, self.margin, self.gamma)
