"""Wrapper that keeps unknown targets out of any elementwise loss."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from mmmsf.registry import MODELS

from .reduction import UNKNOWN, mask_loss, reduce_loss


def _without_prefix(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    for name in [name for name in state if name.startswith(f'{prefix}loss.')]:
        state[prefix + name.removeprefix(f'{prefix}loss.')] = state.pop(name)


def _with_prefix(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for name in [name for name in state if name.startswith(prefix)]:
        state[f'{prefix}loss.{name.removeprefix(prefix)}'] = state.pop(name)


def elementwise_fault(loss: nn.Module, num_classes: int) -> str | None:
    """Find out by a trial on a copy of the loss why its elements cannot be masked.

    Args:
        loss: Loss of logits and targets (B, K).
        num_classes: Number of classes K.

    Returns:
        None if the loss has one element per image and class that depends on the logit and the
        target of that element only, else the reason.
    """
    trial = copy.deepcopy(loss).cpu()
    shape = (2, num_classes)
    pred = torch.linspace(-1, 1, 2 * num_classes).reshape(shape)
    other_pred = pred + 1
    other_pred[0, 0] = pred[0, 0]
    for label in (0.0, 1.0):
        target = (torch.arange(2 * num_classes) % 2).float().reshape(shape)
        other_target = 1 - target
        target[0, 0] = other_target[0, 0] = label
        try:
            with torch.no_grad():
                one = trial(pred, target, reduction_override='none')
                other = trial(other_pred, other_target, reduction_override='none')
        except Exception as error:  # code of others, which may raise anything
            return (
                f"it fails with reduction_override='none': {type(error).__name__}: "
                f'{str(error)[:200]}'
            )
        if not isinstance(one, Tensor) or one.shape != shape:
            got = tuple(one.shape) if isinstance(one, Tensor) else type(one).__name__
            return f"with reduction_override='none' it must return shape {shape}, got {got}"
        if not torch.allclose(one[0, 0], other[0, 0]):
            return 'an element depends on the logits or targets of other classes or images'
    return None


@MODELS.register_module()
class MaskedLoss(nn.Module):
    """Leave unknown targets (-1) out of an elementwise loss.

    Logit and target of an unknown element are replaced by 0 before the wrapped loss reads them, and
    its loss by 0 afterwards, so neither value nor gradient depends on it. As in
    :class:`AsymmetricLoss`, a target that is NaN or outside [0, 1] gives NaN.

    ``mmmsf.TargetCheckHook`` wraps the loss of any head. The names of the loss's parameters and
    buffers in checkpoints do not change.

    Args:
        loss: Config or module of the loss. Called with ``reduction_override='none'``, it must
            return one element per image and class, as MMPretrain's ``CrossEntropyLoss`` (with
            ``use_sigmoid=True``), ``FocalLoss``, ``AsymmetricLoss`` and ``LabelSmoothLoss`` (with
            ``mode='multi_label'``) do. Its ``reduction`` is applied to the masked elements.
    """

    def __init__(self, loss: dict[str, Any] | nn.Module) -> None:
        super().__init__()
        self.loss = loss if isinstance(loss, nn.Module) else MODELS.build(loss)
        self.reduction = getattr(self.loss, 'reduction', 'mean')
        self.register_state_dict_post_hook(_without_prefix)
        self.register_load_state_dict_pre_hook(_with_prefix)

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """Compute the loss.

        Args:
            pred: Logits (B, K).
            target: Targets (B, K): 0 to 1, or -1 for unknown.
            weight: One weight per image (B,), or per element (B, K).
            avg_factor: Divisor that replaces the number of elements, B * K.
            reduction_override: Reduction used instead of that of the wrapped loss.
            **kwargs: Further arguments of the wrapped loss.

        Returns:
            A scalar, or (B, K) with reduction ``'none'``.

        Raises:
            ValueError: The wrapped loss does not return (B, K).
        """
        unknown = target == UNKNOWN
        loss = self.loss(
            pred.masked_fill(unknown, 0),
            target.masked_fill(unknown, 0),
            reduction_override='none',
            **kwargs,
        )
        if loss.shape != pred.shape:
            raise ValueError(
                f"with reduction_override='none' {type(self.loss).__name__} must return a loss of "
                f'shape {tuple(pred.shape)}, got {tuple(loss.shape)}'
            )
        return reduce_loss(
            mask_loss(loss, target), weight, reduction_override or self.reduction, avg_factor
        )
