"""Rejection and correction of large losses, for training sets in which positives are missing."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmmsf.registry import MODELS

from .base import EpochLoss
from .reduction import UNKNOWN, float_pair, mask_loss

MODES = ('reject', 'correct')
ROUNDING = 1e-6  # 3 * 0.2% of 1000 elements is 6.000000000000001


def largest(loss: Tensor, number: Tensor) -> Tensor:
    """Return True for the ``number`` largest losses, of equal ones the first.

    ``number`` is a scalar tensor, so that no value is copied from the device.
    """
    order = loss.flatten().argsort(descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
    return (rank < number).view(loss.shape)


def large_loss(pred: Tensor, target: Tensor, fraction: float, mode: str = 'reject') -> Tensor:
    r"""Compute the binary cross-entropy of each element, without the largest of the negatives.

    With :math:`L_+ = -\log \sigma(x)` and :math:`L_- = -\log \sigma(-x)` an element has the loss
    :math:`y L_+ + (1 - y) L_-`. Where :math:`(1 - y) L_-` is among the largest of the batch,
    :math:`L_-` is replaced by 0 (``'reject'``) or by :math:`L_+` (``'correct'``).

    Args:
        pred: Logits x (B, K).
        target: Targets y (B, K): 1 positive, 0 unmarked, in between for soft labels, -1 unknown.
        fraction: Number of replaced losses, as a fraction of all elements that are not unknown,
            rounded up. Positives are among these elements but are not replaced.
        mode: ``'reject'`` or ``'correct'``.

    Returns:
        Loss (B, K), float32 or wider; 0 where unknown, NaN where the target is NaN or outside
        [0, 1].

    Raises:
        ValueError: The shapes differ.
    """
    logits, target = float_pair(pred, target)
    positive, negative = F.softplus(-logits), F.softplus(logits)
    if fraction > 0:
        unknown = target == UNKNOWN
        number = ((~unknown).sum().double() * fraction - ROUNDING).ceil()
        unmarked = ((1 - target) * negative.detach()).masked_fill(unknown, 0)  # 0 if positive
        large = largest(unmarked, number)
        instead = positive if mode == 'correct' else torch.zeros_like(positive)
        negative = torch.where(large, instead, negative)
    return mask_loss(target * positive + (1 - target) * negative, target)


@MODELS.register_module()
class LargeLoss(EpochLoss):
    """Binary cross-entropy that rejects or corrects the largest losses of unmarked classes.

    A network learns the right labels before it memorises the wrong ones, so a large loss of an
    unmarked class is a sign of a missing positive. In the first epoch all losses count, as in
    the assume-negative baseline; every further epoch replaces ``delta_rel`` percent more of the
    batch's. The batch is that of one process. The epoch comes from ``mmmsf.LossEpochHook``,
    which every run of this project's tools has. See :func:`large_loss` for the formula.

    In a config: ``model = dict(head=dict(loss=dict(type='mmmsf.LargeLoss', mode='correct')))``.

    Source: Kim et al., "Large Loss Matters in Weakly Supervised Multi-Label Classification",
    CVPR 2022: ``'reject'`` is its LL-R, ``'correct'`` its LL-Ct. Its authors' code searches
    ``delta_rel`` from 0.1 to 0.5 on each data set; one default for all is ours, as is the
    extension to soft labels. That code replaces further losses that equal the smallest replaced
    one, here the number is exact.

    Args:
        mode: ``'reject'`` leaves a large loss out, ``'correct'`` trains the class as a positive
            in this step.
        delta_rel: Growth of the replaced part in percent of the batch's elements per epoch.
        reduction, loss_weight: As in :class:`mmmsf.models.losses.MultiLabelLoss`.

    Raises:
        ValueError: An argument is outside the values above, or the epoch is not set.
    """

    def __init__(
        self,
        mode: str = 'reject',
        delta_rel: float = 0.2,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(reduction, loss_weight)
        if mode not in MODES:
            raise ValueError(f'`mode` must be one of {MODES}, got {mode!r}')
        if not 0 <= delta_rel <= 100:
            raise ValueError(f'`delta_rel` must be from 0 to 100 percent, got {delta_rel}')
        self.mode = mode
        self.delta_rel = delta_rel

    def elementwise(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compute the loss (B, K) of each element."""
        return large_loss(pred, target, self.epoch * self.delta_rel / 100, self.mode)
