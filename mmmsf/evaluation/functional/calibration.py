"""Calibration of scores: reliability curve, expected calibration error and Brier score."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .validation import FloatArray, TargetArray, check_scores_targets


class CalibrationCurve(NamedTuple):
    """Hold B bins of equal width over 0 to 1.

    Attributes:
        counts: Number of (image, class) pairs in each bin, shape (B,).
        confidence: Mean score of the pairs, NaN in an empty bin, shape (B,).
        frequency: Share of positives among the pairs, NaN in an empty bin, shape (B,).
    """

    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    frequency: NDArray[np.float64]


def _check(scores: ArrayLike, targets: ArrayLike, bins: int) -> tuple[FloatArray, TargetArray]:
    checked, truth = check_scores_targets(scores, targets)
    if bins < 1:
        raise ValueError(f'bins must be at least 1, got {bins}')
    if checked.size and not 0 <= checked.min() <= checked.max() <= 1:
        raise ValueError(
            f'calibration needs scores in [0, 1], got {checked.min():g} to {checked.max():g}'
        )
    return checked, truth


def _curve(scores: FloatArray, targets: TargetArray, bins: int) -> CalibrationCurve:
    valid = targets >= 0
    values, truth = scores[valid].astype(np.float64), targets[valid]
    # Bin b is (b / B, (b + 1) / B]; a score of 0 falls into the first.
    index = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], values, side='left')
    counts = np.bincount(index, minlength=bins)
    with np.errstate(invalid='ignore'):
        confidence = np.bincount(index, values, bins) / counts
        frequency = np.bincount(index, truth, bins) / counts
    return CalibrationCurve(counts, confidence, frequency)


def calibration_curve(scores: ArrayLike, targets: ArrayLike, bins: int = 15) -> CalibrationCurve:
    """Compute mean score against frequency of positives over all (image, class) pairs.

    Args:
        scores: Shape (N, K), 0 to 1.
        targets: Shape (N, K): 1 positive, 0 negative, -1 ignored (in no bin).
        bins: Number of bins B of equal width.

    Raises:
        ValueError: A score outside 0 to 1, ``bins`` below 1, or as for ``average_precision``.
    """
    return _curve(*_check(scores, targets, bins), bins)


def calibration_error(curve: CalibrationCurve) -> float:
    """Compute the expected calibration error: mean |frequency - confidence| weighted by counts.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, Eq 5, for the binary
    events "the image has the class".

    Returns:
        0 to 1; NaN when all bins are empty.
    """
    total = curve.counts.sum()
    if not total:
        return float('nan')
    gap = np.abs(curve.frequency - curve.confidence)
    return float(np.nansum(gap * curve.counts) / total)


def classwise_calibration_error(
    scores: ArrayLike, targets: ArrayLike, bins: int = 15
) -> NDArray[np.float64]:
    """Compute :func:`calibration_error` per class.

    Args:
        scores: Scores, 0 to 1, shape (N, K).
        targets: Targets, 1, 0 or -1, shape (N, K).
        bins: Number of bins of equal width.

    Returns:
        Shape (K,), 0 to 1, NaN for a class with ignored targets only.
    """
    checked, truth = _check(scores, targets, bins)
    return np.array(
        [
            calibration_error(_curve(checked[:, k], truth[:, k], bins))
            for k in range(checked.shape[1])
        ]
    )


def brier_score(scores: ArrayLike, targets: ArrayLike) -> float:
    """Compute the Brier score: mean squared distance between score and target, 0 to 1.

    Brier, "Verification of Forecasts Expressed in Terms of Probability", 1950, over all (image,
    class) pairs. Unlike the calibration error it also rewards scores that separate.

    Args:
        scores: Scores, 0 to 1, shape (N, K).
        targets: Targets, 1, 0 or -1 (left out), shape (N, K).

    Returns:
        NaN where all targets are ignored.
    """
    checked, truth = _check(scores, targets, 1)
    valid = truth >= 0
    if not valid.any():
        return float('nan')
    return float(np.square(checked[valid].astype(np.float64) - truth[valid]).mean())
