"""Calibration of scores: a rising line of each class from its logits to calibrated logits."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

# A calibrated logit above this (a score of 0.9975) grows with its logarithm: no validation set
# shows that a score is right 99,999 times of 100,000, and float32 makes 1 of all above 17.
CEILING = 6.0
_LOWEST, _HIGHEST = 1e-17, 1 - 2.0**-25  # bounds of a score whose logit is taken
_ROUNDING = 2.0**-22  # relative; bound of the rounding of a score or logit in float32


class Calibration(NamedTuple):
    """Hold a calibration of K classes.

    The calibrated score of a logit x is the sigmoid of ``slope * x + offset``, above ``CEILING``
    of ``CEILING + log(1 + slope * x + offset - CEILING)``. It rises with x, so the order of the
    images within a class stays. With slope 1 and offset 0 a class keeps its scores, above
    ``CEILING`` too: those of exclusive groups, which a softmax makes and which sum to one.

    Attributes:
        slopes: Above zero, (K,).
        offsets: Shape (K,).
    """

    slopes: NDArray[np.float64]
    offsets: NDArray[np.float64]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """True for the classes that keep their scores, (K,)."""
        return (self.slopes == 1) & (self.offsets == 0)


def score_logits(scores: ArrayLike) -> NDArray[np.float64]:
    """Compute the logits of scores; scores below 1e-17, and 1 itself, get those of the bounds."""
    values = np.clip(np.asarray(scores, np.float64), _LOWEST, _HIGHEST)
    return np.log(values) - np.log1p(-values)


def _bounded_scores(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    logits = np.minimum(logits, CEILING) + np.log1p(np.maximum(logits, CEILING) - CEILING)
    return 1 / (1 + np.exp(-logits))


def calibrate_scores(scores: ArrayLike, calibration: Calibration) -> NDArray[np.float64]:
    """Calibrate scores 0 to 1, (..., K), in float64."""
    found = _bounded_scores(calibration.slopes * score_logits(scores) + calibration.offsets)
    return np.where(calibration.kept, scores, found)


def calibrate_thresholds(thresholds: ArrayLike, calibration: Calibration) -> NDArray[np.float32]:
    """Convert thresholds of scores to thresholds of calibrated scores with the same decisions.

    They lie lower by the rounding of float32, so that a score equal to its threshold stays
    accepted. Thresholds outside 0 to 1, which accept all or nothing, stay as they are.

    Args:
        thresholds: Shape (K,).
        calibration: Calibration of the K classes.
    """
    values = np.asarray(thresholds, np.float64)
    sloped = calibration.slopes * score_logits(values * (1 - _ROUNDING))
    lower = _ROUNDING * (np.abs(sloped) + np.abs(calibration.offsets))
    moved = _bounded_scores(sloped + calibration.offsets - lower) * (1 - _ROUNDING)
    inside = (values > 0) & (values <= 1) & ~calibration.kept
    return np.where(inside, moved, values).astype(np.float32)


class CalibratedLogits(nn.Module):
    """Calibrate logits (B, K) in float32, whatever their type.

    The buffers are not part of a state dict: they describe weights and are none.
    """

    slope: Tensor
    offset: Tensor
    kept: Tensor

    def __init__(self, calibration: Calibration) -> None:
        super().__init__()
        for name, value in (('slope', calibration.slopes), ('offset', calibration.offsets)):
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32), persistent=False)
        self.register_buffer('kept', torch.tensor(calibration.kept), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        """Calibrate."""
        raw = logits.float()
        logits = raw * self.slope + self.offset
        ceiling = logits.new_tensor(CEILING)
        bounded = torch.minimum(logits, ceiling) + torch.log1p(
            torch.maximum(logits, ceiling) - ceiling
        )
        return torch.where(self.kept, raw, bounded)


def _calibrate(head: nn.Module, args: Any, logits: Tensor) -> Tensor:
    assert isinstance(head.calibration, CalibratedLogits)
    return head.calibration(logits)


def calibrate_head(head: nn.Module, calibration: Calibration) -> None:
    """Make a head give calibrated logits, and so predict calibrated scores, from now on.

    The head is for prediction then: its losses would be those of calibrated logits.

    Raises:
        ValueError: The head is calibrated already.
    """
    if is_calibrated(head):
        raise ValueError(f'the {type(head).__name__} is calibrated already; load the model anew')
    place = next(head.parameters(), None)
    head.calibration = CalibratedLogits(calibration).to(None if place is None else place.device)
    head.register_forward_hook(_calibrate)


def is_calibrated(head: nn.Module | None) -> bool:
    """Return True for a head of :func:`calibrate_head`."""
    return isinstance(getattr(head, 'calibration', None), CalibratedLogits)
