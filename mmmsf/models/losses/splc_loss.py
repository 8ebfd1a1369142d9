"""Self-paced loss correction for training sets in which positive labels are missing."""

import torch
from torch import Tensor

from mmmsf.registry import MODELS

from .asymmetric_loss import asymmetric_loss
from .base import EpochLoss
from .hill_loss import check_focal_margin, focal_margin
from .reduction import float_pair, mask_loss


def splc_loss(
    pred: Tensor, target: Tensor, tau: float = 0.6, margin: float = 1.0, gamma: float = 2.0
) -> Tensor:
    r"""Compute the self-paced corrected loss of each element.

    With :math:`p = \sigma(x)`, :math:`p_m = \sigma(x - m)`,
    :math:`L_+ = -(1 - p_m)^\gamma \log p_m` and :math:`L_- = -p^\gamma \log(1 - p)`,

    .. math:: L = y L_+ + (1 - y) (L_+ \text{ if } p > \tau \text{ else } L_-).

    Args:
        pred: Logits x of any shape.
        target: Targets y of the same shape: 1 positive, 0 unmarked, in between for soft labels,
            -1 unknown.
        tau: Probability above which an unmarked class is trained as a positive.
        margin: Margin m of the positives.
        gamma: Focusing exponent of positives and negatives.

    Returns:
        Loss of the shape of ``pred``, float32 or wider; 0 where unknown, NaN where the target is
        NaN or outside [0, 1].

    Raises:
        ValueError: The shapes differ.
    """
    logits, target = float_pair(pred, target)
    positive = focal_margin(logits, margin, gamma)
    negative = asymmetric_loss(
        logits, torch.zeros_like(logits), gamma_neg=gamma, detach_focus=False
    )
    unmarked = torch.where(logits.sigmoid() > tau, positive, negative)
    return mask_loss(target * positive + (1 - target) * unmarked, target)


@MODELS.register_module()
class SPLCLoss(EpochLoss):
    """Self-paced loss correction: unmarked classes that score high are trained as positives.

    See :func:`splc_loss` for the formula. Before ``change_epoch`` no loss is corrected, while the
    scores mean little. The epoch comes from ``mmmsf.LossEpochHook``, which every run of this
    project's tools has.

    In a config: ``model = dict(head=dict(loss=dict(type='mmmsf.SPLCLoss', tau=0.6)))``.

    Source: Zhang et al., "Simple and Robust Loss Design for Multi-Label Learning with Missing
    Labels", arXiv:2112.07368, with the defaults of its authors' code. As in the paper's formula,
    a corrected element has the loss of a positive; the code leaves out its margin. The extension
    to soft labels is ours.

    Args:
        tau: Probability above which an unmarked class is trained as a positive, 0 to 1; at 1 no
            loss is corrected.
        change_epoch: Number of epochs before the first correction.
        margin: Margin of the positives' logits.
        gamma: Focusing exponent of positives and negatives.
        reduction, loss_weight: As in :class:`mmmsf.models.losses.MultiLabelLoss`.

    Raises:
        ValueError: An argument is outside the values above, or the epoch is not set.
    """

    def __init__(
        self,
        tau: float = 0.6,
        change_epoch: int = 1,
        margin: float = 1.0,
        gamma: float = 2.0,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(reduction, loss_weight)
        if not 0 <= tau <= 1:
            raise ValueError(f'`tau` must be from 0 to 1, got {tau}')
        if not change_epoch >= 0:
            raise ValueError(f'`change_epoch` must be at least 0, got {change_epoch}')
        check_focal_margin(margin, gamma)
        self.tau = tau
        self.change_epoch = change_epoch
        self.margin = margin
        self.gamma = gamma

    def elementwise(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compute the loss (B, K) of each element."""
        tau = self.tau if self.epoch >= self.change_epoch else 1.0
        return splc_loss(pred, target, tau, self.margin, self.gamma)
