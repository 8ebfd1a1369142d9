"""Precision, recall and F1 as functions of the threshold."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .precision_recall import DecisionCounts
from .validation import check_scores_targets


class DecisionCurve(NamedTuple):
    """Hold the rates of the decisions ``score >= threshold`` at T thresholds, each (T,).

    Thresholds ascend, so recall never rises along the arrays. Rates are 0 to 1.
    """

    thresholds: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]


def decision_curve(scores: ArrayLike, targets: ArrayLike) -> DecisionCurve:
    """Compute precision, recall and F1 at every distinct score.

    It equals ``sklearn.metrics.precision_recall_curve`` without that function's last point
    (precision 1, recall 0), which belongs to no score.

    Args:
        scores: Shape (N,), higher means surer. Ravel an (N, K) matrix for the curve of all its
            decisions together.
        targets: Shape (N,): 1 positive, 0 negative, -1 ignored.

    Returns:
        Empty arrays when every target is ignored; NaN recall and F1 without a positive.

    Raises:
        ValueError: As for ``average_precision``.
    """
    column, checked = check_scores_targets(
        np.asarray(scores)[:, None], np.asarray(targets)[:, None]
    )
    valid = checked[:, 0] >= 0
    values, truth = column[valid, 0], checked[valid, 0]
    order = np.argsort(values)
    values, truth = values[order], truth[order]
    # Equal scores share a decision: the threshold is the first of each run of equal scores.
    start = np.flatnonzero(np.diff(values, prepend=-np.inf) > 0)
    correct = truth[::-1].cumsum(dtype=np.int64)[::-1][start]  # positives at or above
    predicted = values.size - start
    positives = int(truth.sum(dtype=np.int64))
    recall = correct / positives if positives else np.full(start.size, np.nan)
    f1 = 2 * correct / (predicted + positives) if positives else recall
    return DecisionCurve(values[start].astype(np.float64), correct / predicted, recall, f1)


def thin_curve(curve: DecisionCurve, points: int = 100) -> DecisionCurve:
    """Thin a curve for drawing: points even in recall and in rank; ends and best F1 are kept.

    Args:
        curve: Curve of T points.
        points: Size of each of the two selections, at least 2; at most ``2 * points + 1`` remain.
    """
    size = curve.thresholds.size
    if size <= points:
        return curve
    in_rank = np.linspace(0, size - 1, points).round().astype(np.int64)
    in_recall = np.searchsorted(-curve.recall, -np.linspace(1, 0, points)).clip(0, size - 1)
    best = size - 1 - int(np.nan_to_num(curve.f1[::-1]).argmax())
    keep = np.unique(np.concatenate([in_rank, in_recall, [best]]))
    return DecisionCurve(*(values[keep] for values in curve))


def counts_at_thresholds(
    scores: ArrayLike, targets: ArrayLike, thresholds: Sequence[float] | NDArray[np.float64]
) -> DecisionCounts:
    """Count the decisions of each class at T thresholds that all classes share.

    Args:
        scores: Shape (N, K).
        targets: Shape (N, K): 1 positive, 0 negative, -1 ignored (in no count).
        thresholds: Shape (T,).

    Returns:
        Counts of shape (T, K) each; row t equals ``count_decisions`` of ``threshold_decisions`` at
        ``thresholds[t]``.

    Raises:
        ValueError: As for ``average_precision``.
    """
    checked, truth = check_scores_targets(scores, targets)
    bounds = np.asarray(thresholds, dtype=checked.dtype)
    counts = np.zeros((3, bounds.size, checked.shape[1]), dtype=np.int64)
    for k in range(checked.shape[1]):
        column, of_class = checked[:, k], truth[:, k]
        positive, valid = np.sort(column[of_class == 1]), np.sort(column[of_class >= 0])
        counts[0, :, k] = positive.size - np.searchsorted(positive, bounds)
        counts[1, :, k] = valid.size - np.searchsorted(valid, bounds)
        counts[2, :, k] = positive.size
    return DecisionCounts(*counts)
