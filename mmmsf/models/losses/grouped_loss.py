"""Cross-entropy inside groups of classes, beside the head's loss of the free classes."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmmsf.models.layers.exclusive import ExclusiveGroups
from mmmsf.utils.groups import TOLERANCE

from .base import MultiLabelLoss
from .masked_loss import MaskedLoss
from .reduction import UNKNOWN, float_pair, is_target, reduce_loss


def outcome_loss(logits: Tensor, target: Tensor) -> Tensor:
    r"""Compute the negative log-likelihood of what is known about the outcome of each group.

    With :math:`p` the softmax of the logits, known targets :math:`y_k`, and the set :math:`U` of
    the outcomes that the targets leave open (unknown classes, and none of them),

    .. math:: L = -\sum_k y_k \log p_k - (1 - \sum_k y_k) \log \sum_{u \in U} p_u.

    So one positive gives a cross-entropy whatever else is unknown; without a positive the
    probability of what is not ruled out is maximised; all unknown gives 0. Mixed images have soft
    targets.

    Args:
        logits: (..., M) of the M classes, or (..., M + 1) with none of them as the last outcome.
        target: (..., M): 1 positive, 0 negative, in between for mixed images, -1 unknown.

    Returns:
        (...), NaN where a target is NaN or out of range, or where no outcome fits the targets.
    """
    valid = is_target(target).all(dim=-1)
    has_none = logits.shape[-1] > target.shape[-1]
    unknown = target == UNKNOWN
    known = target.masked_fill(unknown, 0).clamp(0, 1)
    if has_none:
        unknown, known = F.pad(unknown, (0, 1), value=True), F.pad(known, (0, 1))
    rest = 1 - known.sum(dim=-1)  # (...), probability of the open outcomes
    is_open = unknown.any(dim=-1)
    fits = (rest > -TOLERANCE) & (is_open | (rest < TOLERANCE))
    rest = (rest * (is_open & ~unknown.all(dim=-1))).clamp(min=0)  # exactly 0 if all is open
    log_p = logits.log_softmax(dim=-1)
    # Without an open outcome all are kept, so that no sum is over nothing
    log_rest = log_p.masked_fill(~unknown & is_open[..., None], -torch.inf).logsumexp(dim=-1)
    loss = -(known * log_p).sum(dim=-1) - rest * log_rest
    return loss.masked_fill(~(valid & fits), torch.nan)


class GroupedLoss(MultiLabelLoss):
    """Sum of the head's loss over the free classes and of a cross-entropy over each group.

    A group counts as much as one free class: its term is spread evenly over its columns, so any
    reduction treats both alike; with MMPretrain's heads the result is a sum over free classes and
    groups and a mean over the images. ``mmmsf.GroupedClassifier`` makes it of the head's loss.

    Args:
        loss: Loss of the free classes, which sees the classes of groups as unknown; one that is
            not of this package is wrapped in :class:`MaskedLoss`.
        groups: Groups.
        group_weight: Factor on the terms of the groups.

    Raises:
        ValueError: ``group_weight`` is not positive.
    """

    def __init__(self, loss: nn.Module, groups: ExclusiveGroups, group_weight: float = 1.0) -> None:
        super().__init__(getattr(loss, 'reduction', 'mean'))
        if not group_weight > 0:
            raise ValueError(f'`group_weight` must be positive, got {group_weight}')
        self.free = loss if isinstance(loss, MultiLabelLoss | MaskedLoss) else MaskedLoss(loss)
        self.groups = groups
        self.group_weight = group_weight

    def group_terms(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compute the terms of the groups, spread over their columns; (B, K), 0 for free classes.

        Args:
            pred: Logits (B, K).
            target: Targets (B, K).
        """
        logits, target = float_pair(pred, target)
        found = [torch.zeros_like(logits)]
        for columns, has_none in self.groups.parts():
            outcomes = self.groups.outcomes(logits, columns, has_none)
            loss = outcome_loss(outcomes, target[:, columns])  # (B, G)
            size = columns.shape[1]
            found.append((loss / size).repeat_interleave(size, dim=1))  # (B, G * M)
        return torch.cat(found, dim=1)[:, self.groups.place]

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Compute the loss; the arguments are those of :class:`MultiLabelLoss`."""
        inside = self.groups.place >= pred.shape[1]  # (K,)
        free = self.free(
            pred,
            target.masked_fill(inside, UNKNOWN),
            weight=weight,
            avg_factor=avg_factor,
            reduction_override=reduction_override,
        )
        reduction = reduction_override or self.reduction
        terms = self.group_terms(pred, target)
        return free + self.group_weight * reduce_loss(terms, weight, reduction, avg_factor)
