"""Paired bootstrap over images: how far a difference between two models depends on the test set.

A resample of N images is a column of N weights, the number of times each image was drawn. Nothing
is sorted again for a resample: it costs a running sum over its weights in the scores' order.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmsf.evaluation.functional.precision_recall import threshold_decisions
from mmmsf.evaluation.functional.size_aware import SIZE_NAMES, check_sizes
from mmmsf.evaluation.functional.validation import FloatArray, TargetArray, check_scores_targets

Weights = NDArray[np.int32]
_CHUNK = 64  # resamples at a time: (N, 64) weights of one class stay in the cache


class Difference(NamedTuple):
    """Model B minus model A; ``low`` and ``high`` bound the interval."""

    value: float
    low: float
    high: float
    share_below: float  # of the resamples, those where A < B


def resample_weights(num_images: int, num_resamples: int, rng: np.random.Generator) -> Weights:
    """How often each image is in each resample, (N, R); every column sums to N."""
    columns = [
        np.bincount(rng.integers(num_images, size=num_images), minlength=num_images)
        for _ in range(num_resamples)
    ]
    return np.stack(columns, axis=1).astype(np.int32)


def _running_sum(weights: Weights) -> NDArray[np.int32]:
    """(M, R) to (M + 1, R): row m is the sum of the first m rows."""
    total = np.zeros((len(weights) + 1, weights.shape[1]), dtype=np.int32)
    np.cumsum(weights, axis=0, out=total[1:])
    return total


def _group_ap(scores: FloatArray, weights: Weights, fp: NDArray[np.int32]) -> FloatArray:
    """AP (R,) of P positives with descending scores (P,), their weights and the weight of the
    negatives at or above each, both (P, R).
    """
    at_or_above = np.searchsorted(-scores, -scores, side='right')
    tp = _running_sum(weights)[at_or_above]
    found = weights.sum(axis=0)
    # Where an image of weight zero divides by zero, its own weight takes it out.
    precision = tp / np.maximum(tp + fp, 1)
    return np.where(found > 0, (weights * precision).sum(axis=0) / np.maximum(found, 1), np.nan)


def weighted_average_precision(
    scores: ArrayLike, targets: ArrayLike, weights: Weights, sizes: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Average precision of each class in each resample.

    Equal to ``size_aware_average_precision`` of rows that are repeated as ``weights`` says.

    Args:
        scores: Shape (N, K), higher means surer.
        targets: Shape (N, K): 1 positive, 0 negative, -1 ignored.
        weights: Shape (N, R), how often each resample has each image.
        sizes: Shape (N, K) of 0 to 3, see ``areas_to_sizes``; ``None``: no AP by size.

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
    """Mean over the classes, (K, R) to (R,), of the known entries; NaN where there is none."""
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _f1(precision: FloatArray, recall: FloatArray) -> FloatArray:
    total = precision + recall
    return np.where(total == 0, 0.0, 2 * precision * recall / np.where(total == 0, 1.0, total))


def weighted_f1(
    scores: FloatArray, targets: TargetArray, weights: Weights, thr: float | ArrayLike = 0.5
) -> dict[str, FloatArray]:
    """CF1 and OF1 in each resample, (R,), 0 to 1; as ``threshold_metrics`` defines them."""
    decided = threshold_decisions(scores, thr)
    positive, drawn = targets == 1, weights.astype(np.float64)  # exact far beyond any count

    def count(mask: NDArray[np.bool_]) -> FloatArray:
        return mask.T.astype(np.float64) @ drawn  # (K, R)

    correct, predicted, positives = (
        count(decided & positive),
        count(decided & (targets >= 0)),
        count(positive),
    )
    present = positives > 0
    cp = _mean(correct / np.maximum(predicted, 1), present)
    cr = _mean(correct / np.maximum(positives, 1), present)
    op, overall = (
        correct.sum(axis=0) / np.maximum(x.sum(axis=0), 1) for x in (predicted, positives)
    )
    return {'CF1': _f1(cp, cr), 'OF1': _f1(op, np.where(present.any(axis=0), overall, np.nan))}


def weighted_metrics(
    scores: ArrayLike,
    targets: ArrayLike,
    sizes: ArrayLike | None,
    weights: Weights,
    thr: float | ArrayLike = 0.5,
) -> dict[str, FloatArray]:
    """mAP, mAP of each size (where some label has one), CF1 and OF1 in each resample.

    Args:
        scores, targets, sizes, weights: as for :func:`weighted_average_precision`.
        thr: decision threshold of CF1 and OF1, a number or shape (K,).

    Returns:
        Name -> shape (R,), values 0 to 1; NaN where a resample leaves it undefined.
    """
    checked, checked_targets = check_scores_targets(scores, targets)
    groups = None if sizes is None else check_sizes(sizes, checked.shape)
    ap = weighted_average_precision(checked, checked_targets, weights, groups)
    metrics = {'mAP': _mean(ap[0], ~np.isnan(ap[0]))}
    for g, name in enumerate(SIZE_NAMES, 1):
        if groups is not None and ((groups == g) & (checked_targets == 1)).any():
            metrics[f'mAP_{name}'] = _mean(ap[g], ~np.isnan(ap[g]))
    return metrics | weighted_f1(checked, checked_targets, weights, thr)


def _chunks(num_images: int, num_resamples: int, seed: int) -> Iterator[Weights]:
    rng = np.random.default_rng(seed)
    for start in range(0, num_resamples, _CHUNK):
        yield resample_weights(num_images, min(_CHUNK, num_resamples - start), rng)


def bootstrap_metrics(
    runs: Sequence[ArrayLike],
    targets: ArrayLike,
    sizes: ArrayLike | None = None,
    thr: float | ArrayLike = 0.5,
    num_resamples: int = 1000,
    seed: int = 0,
) -> list[dict[str, FloatArray]]:
    """Metrics of several models on the same resamples of the images.

    Args:
        runs: scores of each model, (N, K) each.
        targets, sizes: shared by the models, see :func:`weighted_average_precision`.
        thr: decision threshold of CF1 and OF1.
        num_resamples: R.
        seed: of the draws.

    Returns:
        For each model name -> shape (R + 1,): entry 0 on the images as they are, the others in
        the resamples.
    """
    parts: list[list[dict[str, FloatArray]]] = [[] for _ in runs]
    num_images = len(np.asarray(targets))
    every_image_once = np.ones((num_images, 1), dtype=np.int32)
    for weights in chain([every_image_once], _chunks(num_images, num_resamples, seed)):
        for part, scores in zip(parts, runs, strict=True):
            part.append(weighted_metrics(scores, targets, sizes, weights, thr))
    return [
        {name: np.concatenate([chunk[name] for chunk in part]) for name in part[0]}
        for part in parts
    ]


def paired_difference(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Difference:
    """How much higher model B is than model A, with a percentile interval.

    Args:
        a, b: Shape (R + 1,): a metric of each, as :func:`bootstrap_metrics` gives it. Resamples
            where it is undefined are left out.
        level: Part of the resamples inside the interval, between 0 and 1.

    Raises:
        ValueError: ``level`` is out of range.
    """
    if not 0 < level < 1:
        raise ValueError(f'level must be between 0 and 1, got {level}')
    difference = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    drawn = difference[1:][~np.isnan(difference[1:])]
    if not drawn.size:
        return Difference(float(difference[0]), *[float('nan')] * 3)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Difference(float(difference[0]), float(low), float(high), float((drawn > 0).mean()))
