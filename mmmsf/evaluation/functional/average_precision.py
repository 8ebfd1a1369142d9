"""Average precision per class, without interpolation or by the rules of PASCAL VOC."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .validation import FloatArray, TargetArray, check_scores_targets

# Recall levels of VOC 2007's devkit, whose loop over 0:0.1:1 multiplies: 3 * 0.1 > 0.3.
DEVKIT_LEVELS = np.arange(11) * 0.1
Flavour = Callable[[NDArray[np.int64], NDArray[np.float64]], float]


def _area(tp: NDArray[np.int64], precision: NDArray[np.float64]) -> float:
    # Every positive raises recall by 1 / P, so the area is the mean of their precisions.
    return float(precision.mean())


def _voc(tp: NDArray[np.int64], precision: NDArray[np.float64]) -> float:
    # Recall falls along the array: the running maximum is the envelope from the right.
    return float(np.maximum.accumulate(precision).mean())


def _mean_over_levels(
    tp: NDArray[np.int64], precision: NDArray[np.float64], needed: NDArray[np.int64]
) -> float:
    envelope = np.maximum.accumulate(precision)
    last = np.searchsorted(-tp, -needed, side='right') - 1
    return float(envelope[last].mean())


def _voc11(tp: NDArray[np.int64], precision: NDArray[np.float64]) -> float:
    # The devkit compares floating-point numbers: recall 3/10 stays below its level 3 * 0.1.
    recall = np.arange(tp[0] + 1) / tp[0]
    return _mean_over_levels(tp, precision, np.searchsorted(recall, DEVKIT_LEVELS))


def _voc11_exact(tp: NDArray[np.int64], precision: NDArray[np.float64]) -> float:
    # tp >= P * level / 10 in whole numbers, so that recall 3/10 does reach level 0.3.
    return _mean_over_levels(tp, precision, -(-np.arange(11) * tp[0] // 10))


AP_FLAVOURS: dict[str, Flavour] = {
    'area': _area,
    'voc11': _voc11,
    'voc11_exact': _voc11_exact,
    'voc': _voc,
}


def check_flavour(flavour: str) -> Flavour:
    """Look up an average precision flavour.

    Raises:
        ValueError: The name is not a key of ``AP_FLAVOURS``.
    """
    if flavour not in AP_FLAVOURS:
        raise ValueError(f'flavour must be one of {sorted(AP_FLAVOURS)}, got {flavour!r}')
    return AP_FLAVOURS[flavour]


def _ranked_ap(positives: FloatArray, fp: NDArray[np.int64], flavour: Flavour) -> float:
    """Compute the AP of P ascending positives; ``fp`` counts the negatives at or above each."""
    if positives.size == 0:
        return float('nan')
    tp = positives.size - np.searchsorted(positives, positives, side='left')
    return flavour(tp, tp / (tp + fp))


def grouped_average_precision(
    scores: FloatArray,
    targets: TargetArray,
    groups: NDArray[np.int8] | None,
    num_groups: int,
    flavour: str = 'area',
) -> NDArray[np.float64]:
    """Compute the AP of all positives and of groups of positives against the same negatives.

    Each class is sorted once for all of its groups. Inputs must have been checked.

    Args:
        scores: Finite scores, shape (N, K).
        targets: Targets 1, 0, -1, shape (N, K); -1 is dropped for that class.
        groups: Group 1..``num_groups`` of each positive, shape (N, K); other values belong to
            none. ``None`` if ``num_groups`` is 0.
        num_groups: Number of groups G.
        flavour: See :func:`average_precision`.

    Returns:
        Shape (1 + G, K): row 0 from all positives, row g from those of group g only (the other
        positives are dropped). NaN where a row has no positive.
    """
    compute = check_flavour(flavour)
    num_classes = scores.shape[1]
    ap = np.full((1 + num_groups, num_classes), np.nan)
    scores_t, targets_t = np.ascontiguousarray(scores.T), np.ascontiguousarray(targets.T)
    for k in range(num_classes):
        where = np.flatnonzero(targets_t[k] == 1)
        order = where[np.argsort(scores_t[k][where])]  # (P,) rows, ascending score
        positives = scores_t[k][order]
        negatives = np.sort(scores_t[k][targets_t[k] == 0])
        fp = negatives.size - np.searchsorted(negatives, positives, side='left')
        ap[0, k] = _ranked_ap(positives, fp, compute)
        if groups is None:
            continue
        of_group = groups[order, k]
        for g in range(1, num_groups + 1):
            member = of_group == g
            ap[g, k] = _ranked_ap(positives[member], fp[member], compute)
    return ap


def average_precision(
    scores: ArrayLike, targets: ArrayLike, flavour: str = 'area', names: Sequence[str] | None = None
) -> NDArray[np.float64]:
    """Compute the average precision of each class.

    Images with equal scores form one point of the precision-recall curve, so the order of the
    rows does not matter; ``area`` equals ``sklearn.metrics.average_precision_score``.

    Args:
        scores: Shape (N, K), higher means surer.
        targets: Shape (N, K): 1 positive, 0 negative, -1 ignored (dropped for that class).
        flavour: ``area`` for the area under the curve without interpolation, ``voc11`` for the
            mean over the recall levels 0, 0.1 .. 1 of the best precision at that recall or above
            (PASCAL VOC 2007, whose devkit has the levels 0.3, 0.6 and 0.7 one rounding error too
            high), ``voc11_exact`` for the same with exact levels, ``voc`` for the area under the
            monotone envelope (PASCAL VOC 2010 and later).
        names: N image names for error messages.

    Returns:
        Shape (K,), values 0 to 1; NaN for a class without a positive.

    Raises:
        ValueError: Shapes differ, a target is not -1, 0 or 1, a score is not finite, or the
            flavour is unknown.
    """
    checked_scores, checked_targets = check_scores_targets(scores, targets, names)
    return grouped_average_precision(checked_scores, checked_targets, None, 0, flavour)[0]


def mean_average_precision(ap: ArrayLike) -> float:
    """Average per-class AP over the classes with a positive.

    Args:
        ap: AP, NaN for a class without a positive, shape (K,).

    Returns:
        Mean in the unit of ``ap``; NaN if no class has a positive.
    """
    values = np.asarray(ap, dtype=np.float64)
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float('nan')
