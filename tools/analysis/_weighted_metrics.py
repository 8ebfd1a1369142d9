"""Metrics of weighted images: each of R resamples counts an image as often as it was drawn.

Scores are sorted once; a resample costs a running sum over its weights in that order.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmsf.evaluation.functional.precision_recall import threshold_decisions
from mmmsf.evaluation.functional.size_aware import SIZE_NAMES, check_sizes
from mmmsf.evaluation.functional.validation import FloatArray, TargetArray, check_scores_targets

Weights = NDArray[np.int32]


def _running_sum(weights: Weights) -> NDArray[np.int32]:
    """Sum rows (M, R) to (M + 1, R): row m is the sum of the first m rows."""
    total = np.zeros((len(weights) + 1, weights.shape[1]), dtype=np.int32)
    np.cumsum(weights, axis=0, out=total[1:])
    return total


def _group_ap(scores: FloatArray, weights: Weights, fp: NDArray[np.int32]) -> FloatArray:
    """Compute the AP (R,) of P positives.

    Args:
        scores: Scores of the positives in descending order, (P,).
        weights: Their weights, (P, R).
        fp: Weight of the negatives at or above each positive, (P, R).
    """
    at_or_above = np.searchsorted(-scores, -scores, side='right')
    tp = _running_sum(weights)[at_or_above]
    found = weights.sum(axis=0)
    # max(., 1): an image of weight zero may divide by zero, but does not count
    precision = tp / np.maximum(tp + fp, 1)
    return np.where(found > 0, (weights * precision).sum(axis=0) / np.maximum(found, 1), np.nan)


def weighted_average_precision(
    scores: ArrayLike, targets: ArrayLike, weights: Weights, sizes: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Compute the average precision of each class in each resample.

    Equal to ``size_aware_average_precision`` of rows that are repeated as ``weights`` says.

    Args:
        scores: Shape (N, K), higher is more confident.
        targets: Shape (N, K): 1 positive, 0 negative, -1 ignored.
        weights: Shape (N, R), how often each resample has each image.
        sizes: Shape (N, K) of 0 to 3, see ``areas_to_sizes``; without them there is no AP by size.

    Returns:
        Shape (1 + S, K, R), values 0 to 1: all positives, then those of each of the S sizes in
        the order of ``SIZE_NAMES`` (S = 0 without ``sizes``). NaN where there is no positive.

    Raises:
        ValueError: As for ``size_aware_average_precision``, or weights of another number of rows.
    """
    checked, checked_targets = check_scores_targets(scores, targets)
    groups = None if sizes is None else check_sizes(sizes, checked.shape)
    N, K = checked.shape
    if weights.ndim != 2 or len(weights) != N:
        raise ValueError(f'weights must have shape ({N}, R), got {weights.shape}')
    ap = np.empty((1 if groups is None else 1 + len(SIZE_NAMES), K, weights.shape[1]))
    for k in range(K):
        where = np.flatnonzero(checked_targets[:, k] == 1)
        where = where[np.argsort(-checked[where, k])]  # (P,) rows, descending score
        negative = np.flatnonzero(checked_targets[:, k] == 0)
        negative = negative[np.argsort(-checked[negative, k])]
        positives = checked[where, k]
        at_or_above = np.searchsorted(-checked[negative, k], -positives, side='right')
        fp = _running_sum(weights[negative])[at_or_above]  # (P, R)
        for g in range(len(ap)):
            member = slice(None) if g == 0 or groups is None else groups[where, k] == g
            ap[g, k] = _group_ap(positives[member], weights[where[member]], fp[member])
    return ap


def _mean(values: FloatArray, known: NDArray[np.bool_]) -> FloatArray:
    """Average the known entries over the classes, (K, R) to (R,); NaN where there are none."""
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Divide; 0 where there is nothing to divide by."""
    return np.where(whole == 0, 0.0, part / np.where(whole == 0, 1.0, whole))


def _f1(precision: FloatArray, recall: FloatArray) -> FloatArray:
    return _ratio(2 * precision * recall, precision + recall)


def weighted_f1(
    decided: ArrayLike, targets: TargetArray, weights: Weights
) -> dict[str, FloatArray]:
    """Compute CF1 and OF1 in each resample, (R,), 0 to 1, as defined in ``threshold_metrics``.

    Args:
        decided: Decisions (N, K), or shares of several decisions, of which the counts are means.
        targets, weights: As for :func:`weighted_average_precision`.
    """
    positive, drawn = targets == 1, weights.astype(np.float64)  # exact far beyond any count
    shares = np.asarray(decided, dtype=np.float64)
    correct, predicted, positives = (  # (K, R)
        x.T @ drawn for x in (shares * positive, shares * (targets >= 0), positive.astype(float))
    )
    present = positives > 0
    cp, cr = (_mean(_ratio(correct, x), present) for x in (predicted, positives))
    op, overall = (_ratio(correct.sum(axis=0), x.sum(axis=0)) for x in (predicted, positives))
    return {'CF1': _f1(cp, cr), 'OF1': _f1(op, np.where(present.any(axis=0), overall, np.nan))}


def weighted_metrics(
    scores: ArrayLike,
    targets: ArrayLike,
    sizes: ArrayLike | None,
    weights: Weights,
    thr: float | ArrayLike = 0.5,
    parts: Mapping[str, NDArray[np.integer]] | None = None,
    decided: NDArray | None = None,
) -> dict[str, FloatArray]:
    """Compute mAP, mAP of each size (where some label has one), CF1 and OF1 in each resample.

    Args:
        scores, targets, sizes, weights: As for :func:`weighted_average_precision`.
        thr: Decision threshold of CF1 and OF1, a number or shape (K,).
        parts: Name -> indices of the classes of another mAP, ``mAP_<name>``.
        decided: Decisions (N, K) of CF1 and OF1, or shares, in place of those by ``thr``.

    Returns:
        Name -> shape (R,), values 0 to 1; NaN where a resample leaves it undefined.
    """
    checked, checked_targets = check_scores_targets(scores, targets)
    groups = None if sizes is None else check_sizes(sizes, checked.shape)
    ap = weighted_average_precision(checked, checked_targets, weights, groups)
    metrics = {'mAP': _mean(ap[0], ~np.isnan(ap[0]))}
    for name, classes in (parts or {}).items():
        metrics[f'mAP_{name}'] = _mean(ap[0][classes], ~np.isnan(ap[0][classes]))
    for g, name in enumerate(SIZE_NAMES, 1):
        if groups is not None and ((groups == g) & (checked_targets == 1)).any():
            metrics[f'mAP_{name}'] = _mean(ap[g], ~np.isnan(ap[g]))
    if decided is None:
        decided = threshold_decisions(checked, thr)
    return metrics | weighted_f1(decided, checked_targets, weights)
