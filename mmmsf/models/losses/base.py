"""Bases of the losses that leave unknown targets out."""

from collections.abc import Sequence

from torch import Tensor, nn

from .reduction import check_reduction, reduce_loss


class MultiLabelLoss(nn.Module):
    """Loss of logits and targets (1, 0, between them for soft labels, or -1 for unknown).

    A subclass defines :meth:`elementwise`. ``mmmsf.TargetCheckHook`` trusts it to leave unknown
    targets out and does not wrap it.

    Args:
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight: Factor on the result.

    Raises:
        ValueError: ``reduction`` is unknown.
    """

    def __init__(self, reduction: str = 'mean', loss_weight: float = 1.0) -> None:
        super().__init__()
        check_reduction(reduction)
        self.reduction = reduction
        self.loss_weight = loss_weight

    def elementwise(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compute the loss (B, K) of each element: 0 where the target is -1, NaN where invalid."""
        raise NotImplementedError

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
            weight: One weight per image (B,), or per element (B, K).
            avg_factor: Divisor that replaces the number of elements.
            reduction_override: Reduction used instead of ``reduction``.

        Returns:
            A scalar, or (B, K) with reduction ``'none'``.
        """
        loss = self.elementwise(pred, target)
        return self.loss_weight * reduce_loss(
            loss, weight, reduction_override or self.reduction, avg_factor
        )


class EpochLoss(MultiLabelLoss):
    """Loss that depends on the epoch, which ``mmmsf.LossEpochHook`` sets."""

    _epoch: int | None = None

    def set_epoch(self, epoch: int) -> None:
        """Set the number of completed epochs: 0 in the first one."""
        self._epoch = epoch

    @property
    def epoch(self) -> int:
        """Number of completed epochs.

        Raises:
            ValueError: It has not been set.
        """
        if self._epoch is None:
            raise ValueError(
                f'`epoch` of {type(self).__name__} must be set before the loss is computed, got '
                "None: add dict(type='mmmsf.LossEpochHook') to `custom_hooks`, or call "
                '`set_epoch` at the start of every epoch'
            )
        return self._epoch


def losses_with(module: nn.Module, method: str) -> list[nn.Module]:
    """Find the parts of a module that have a method."""
    return [part for part in module.modules() if callable(getattr(part, method, None))]


def set_epoch(module: nn.Module, epoch: int) -> int:
    """Set the epoch of every loss inside a module that has ``set_epoch``; return their number."""
    losses = losses_with(module, 'set_epoch')
    for loss in losses:
        loss.set_epoch(epoch)  # type: ignore[operator]
    return len(losses)


def set_label_counts(module: nn.Module, counts: Sequence[int], num_images: int) -> int:
    """Set the label counts of every loss inside a module that takes them; return their number.

    Args:
        module: Model.
        counts: Number of images in which each class is positive, (K,).
        num_images: Number of all images.
    """
    losses = losses_with(module, 'set_label_counts')
    for loss in losses:
        loss.set_label_counts(counts, num_images)  # type: ignore[operator]
    return len(losses)
