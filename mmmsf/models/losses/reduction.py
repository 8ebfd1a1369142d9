"""Masking, weighting and reduction of elementwise losses."""

from collections.abc import Sequence

import torch
from torch import Tensor

UNKNOWN = -1  # target of a class that is neither positive nor negative
TOLERANCE = 1e-4  # mixed targets leave [0, 1] by rounding
REDUCTIONS = ('none', 'mean', 'sum')


def is_target(target: Tensor) -> Tensor:
    """Return True where a target is in [0, 1] or unknown, False where out of range or NaN."""
    inside = (target >= -TOLERANCE) & (target <= 1 + TOLERANCE)
    return inside | (target == UNKNOWN)


def mask_loss(loss: Tensor, target: Tensor) -> Tensor:
    """Set the loss to 0 where the target is unknown, and to NaN where it is no target.

    A NaN stops the training at ``NonFiniteLossHook``, without a synchronisation of its own.

    Args:
        loss: Elementwise losses.
        target: Targets of the same shape: 0 to 1, or -1 for unknown.
    """
    loss = loss.masked_fill(~is_target(target), float('nan'))
    return loss.masked_fill(target == UNKNOWN, 0)


def class_weights(name: str, values: Sequence[float] | None) -> Tensor | None:
    """Convert the argument ``name``, one weight per class, to float32 (K,).

    Raises:
        ValueError: The values are not a vector of finite numbers of at least 0.
    """
    if values is None:
        return None
    weights = torch.as_tensor(values, dtype=torch.float32)
    if weights.dim() != 1 or not (weights.isfinite() & (weights >= 0)).all():
        raise ValueError(f'`{name}` must be finite numbers of at least 0, got {values}')
    return weights


def float_pair(pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits and targets in one type, float32 or wider.

    Raises:
        ValueError: The shapes differ.
    """
    if pred.shape != target.shape:
        raise ValueError(
            '`pred` and `target` must have the same shape, got '
            f'{tuple(pred.shape)} and {tuple(target.shape)}'
        )
    logits = pred.to(torch.promote_types(pred.dtype, torch.float32))
    return logits, target.to(logits.dtype)


def check_class_weights(pred: Tensor, **weights: Tensor | None) -> None:
    """Raise ValueError unless each of ``weights`` is None or has K entries for logits (..., K)."""
    for name, values in weights.items():
        if values is not None and values.shape != pred.shape[-1:]:
            raise ValueError(
                f'`{name}` must have one entry for each of the {pred.shape[-1]} classes, got '
                f'{len(values)}'
            )


def check_reduction(reduction: str) -> None:
    """Raise ValueError unless ``reduction`` is one of ``REDUCTIONS``."""
    if reduction not in REDUCTIONS:
        raise ValueError(f'`reduction` must be one of {REDUCTIONS}, got {reduction!r}')


def reduce_loss(
    loss: Tensor, weight: Tensor | None, reduction: str, avg_factor: float | Tensor | None
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
    check_reduction(reduction)
    if weight is not None:
        loss = loss * (weight[:, None] if weight.dim() < loss.dim() else weight)
    if reduction == 'none':
        return loss
    if reduction == 'sum':
        if avg_factor is not None:
            raise ValueError("`avg_factor` cannot be used with reduction='sum'")
        return loss.sum()
    return loss.mean() if avg_factor is None else loss.sum() / avg_factor
