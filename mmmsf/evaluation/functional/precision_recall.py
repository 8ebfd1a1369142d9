"""Precision, recall and F1 of hard decisions: at a threshold or for the k highest scores."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmsf.utils.groups import Group, exclusive_decisions

from .validation import check_scores, check_scores_targets, check_targets


class DecisionCounts(NamedTuple):
    """Hold counts per class, each (K,); ignored targets are in none of them."""

    correct: NDArray[np.int64]
    predicted: NDArray[np.int64]
    positives: NDArray[np.int64]


def threshold_decisions(
    scores: ArrayLike, thr: float | ArrayLike = 0.5, groups: Sequence[Group] = ()
) -> NDArray[np.bool_]:
    """Decide class by class: a score of at least ``thr`` is positive.

    Scores and thresholds are compared in the precision of the scores, as in the model's head.

    Args:
        scores: Shape (N, K).
        thr: One threshold, or shape (K,) with one per class.
        groups: Exclusive groups, whose rules the decisions keep.

    Returns:
        Shape (N, K).

    Raises:
        ValueError: A score or threshold is not finite, or ``thr`` is neither a number nor (K,).
    """
    checked = check_scores(scores)
    bound = np.asarray(thr, dtype=checked.dtype)
    if bound.shape not in ((), checked.shape[1:]):
        raise ValueError(
            f'thr must be a number or have shape {checked.shape[1:]}, got shape {bound.shape}'
        )
    if not np.isfinite(bound).all():
        raise ValueError(f'thr must be finite, got {thr!r}')
    return exclusive_decisions(checked >= bound, checked, groups)


def topk_decisions(
    scores: ArrayLike, k: int = 3, thr: float | ArrayLike | None = None
) -> NDArray[np.bool_]:
    """Decide image by image: the ``k`` highest scores are positive.

    Between equal scores the lower class index wins.

    Args:
        scores: Shape (N, K).
        k: Decisions per image, at least 1; from K on, every class is positive.
        thr: If given, a decision also needs a score of at least this (number or (K,)).

    Returns:
        Shape (N, K).

    Raises:
        ValueError: ``k`` is below 1, or as for :func:`threshold_decisions`.
    """
    checked = check_scores(scores)
    if k < 1:
        raise ValueError(f'k must be at least 1, got {k}')
    num_classes = checked.shape[1]
    if k >= num_classes:
        chosen = np.ones(checked.shape, dtype=bool)
    else:
        # (N, 1), the lowest score that still gets in
        lowest = np.partition(checked, num_classes - k, axis=1)[:, num_classes - k, None]
        chosen = checked >= lowest
        crowded = np.flatnonzero(chosen.sum(axis=1) > k)
        above = checked[crowded] > lowest[crowded]
        equal = chosen[crowded] & ~above
        room = k - above.sum(axis=1, keepdims=True)
        chosen[crowded] = above | (equal & (equal.cumsum(axis=1) <= room))
    return chosen if thr is None else chosen & threshold_decisions(checked, thr)


def count_decisions(decisions: ArrayLike, targets: ArrayLike) -> DecisionCounts:
    """Count the decisions of each class.

    Args:
        decisions: Shape (N, K), True where the class is predicted.
        targets: Shape (N, K): 1 positive, 0 negative, -1 ignored (in no count).

    Raises:
        ValueError: Shapes differ, or a target is not -1, 0 or 1.
    """
    decided = np.asarray(decisions, dtype=bool)
    checked = check_targets(targets, decided.shape)
    positive = checked == 1
    return DecisionCounts(
        correct=(decided & positive).sum(axis=0),
        predicted=(decided & (checked >= 0)).sum(axis=0),
        positives=positive.sum(axis=0),
    )


def class_precision_recall(
    counts: DecisionCounts,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute precision and recall of each class, shape (K,), 0 to 1.

    A class that is never predicted has precision 0; one without a positive has recall NaN.
    """
    correct, predicted, positives = counts
    precision = correct / np.maximum(predicted, 1)
    recall = np.where(positives > 0, correct / np.maximum(positives, 1), np.nan)
    return precision, recall


def _f1(precision: float, recall: float) -> float:
    total = precision + recall
    return 2 * precision * recall / total if total != 0 else 0.0


def summarize_counts(counts: DecisionCounts) -> dict[str, float]:
    """Compute CP, CR, CF1, OP, OR and OF1 of the counts (Eqs. 14-16 of the MSF paper).

    CP and CR are means of the classes' precision and recall. Both leave out a class without a
    positive: its recall is undefined and its precision can only be 0. Its false positives count in
    OP. CF1 is the harmonic mean of CP
    and CR, not a mean of the classes' F1. OP, OR and OF1 come from the sums over all classes.

    Returns:
        Six values, 0 to 1. Without any positive CP, CR, OR and both F1 are NaN. OP is 0 when
        nothing is predicted, F1 is 0 when precision and recall are.
    """
    precision, recall = class_precision_recall(counts)
    present = counts.positives > 0
    correct, predicted, positives = (int(count.sum()) for count in counts)
    cp = float(precision[present].mean()) if positives else float('nan')
    cr = float(recall[present].mean()) if positives else float('nan')
    op = correct / max(predicted, 1)
    overall_recall = correct / positives if positives else float('nan')
    return {
        'CP': cp,
        'CR': cr,
        'CF1': _f1(cp, cr),
        'OP': op,
        'OR': overall_recall,
        'OF1': _f1(op, overall_recall),
    }


def threshold_metrics(
    scores: ArrayLike,
    targets: ArrayLike,
    thr: float | ArrayLike = 0.5,
    names: Sequence[str] | None = None,
    groups: Sequence[Group] = (),
) -> dict[str, float]:
    """Compute CP, CR, CF1, OP, OR and OF1 at a threshold, 0 to 1.

    See :func:`threshold_decisions` and :func:`summarize_counts`; ``targets`` has shape (N, K).
    """
    checked, checked_targets = check_scores_targets(scores, targets, names)
    decided = threshold_decisions(checked, thr, groups)
    return summarize_counts(count_decisions(decided, checked_targets))


def topk_metrics(
    scores: ArrayLike,
    targets: ArrayLike,
    k: int = 3,
    thr: float | ArrayLike | None = None,
    names: Sequence[str] | None = None,
) -> dict[str, float]:
    """Compute CP, CR, CF1, OP, OR and OF1 of the ``k`` highest scores of each image, 0 to 1.

    The choice does not depend on the targets: an ignored class takes one of the ``k`` places and
    enters no count. See :func:`topk_decisions` and :func:`summarize_counts`.
    """
    checked, checked_targets = check_scores_targets(scores, targets, names)
    return summarize_counts(count_decisions(topk_decisions(checked, k, thr), checked_targets))
