"""Search for the best decision thresholds of given scores and targets."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmsf.utils.groups import Group, highest_of_groups, ungated_classes

from .precision_recall import threshold_metrics
from .validation import FloatArray, check_scores_targets

OBJECTIVES = ('f1', 'precision', 'recall')
OVERALL_OBJECTIVES = ('CF1', 'OF1')
_EQUAL = 1e-12  # CF1 of the same counts, summed in another order
_ROUNDING = 1e-9  # upper bound of the rounding error of a running sum of precision and recall


class ClassThresholds(NamedTuple):
    """Hold the result of a search per class.

    Attributes:
        values: Thresholds in the type of the scores, shape (K,).
        reached: True where the target is met, shape (K,).
    """

    values: FloatArray
    reached: NDArray[np.bool_]


class _Steps(NamedTuple):
    """Hold the counts at each of M distinct scores taken as threshold, highest first."""

    score: FloatArray
    correct: NDArray[np.int64]
    predicted: NDArray[np.int64]


def _steps(scores: FloatArray, positive: NDArray[np.bool_]) -> _Steps:
    """Count the decisions at every distinct score of (N,)."""
    order = np.argsort(-scores, kind='stable')
    ordered = scores[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # of equal scores
    return _Steps(ordered[last], positive[order].cumsum()[last], last + 1)


def _between(score: FloatArray, index: int) -> float:
    """Return a threshold between ``score[index]``, accepted, and the next lower one, rejected."""
    upper = score[index]
    if index + 1 == len(score):
        return float(upper)
    lower = score[index + 1]
    middle = (np.float64(lower) / 2 + np.float64(upper) / 2).astype(score.dtype)
    return float(middle if middle > lower else upper)


def _first_best(*keys: NDArray[np.float64]) -> int:
    """Return the index of the lexicographic maximum of parallel arrays, the first of equals."""
    alive = np.arange(len(keys[0]))
    for key in keys:
        alive = alive[key[alive] == key[alive].max()]
    return int(alive[0])


def _best_of_class(
    steps: _Steps, positives: int, objective: str, target: float
) -> tuple[float, bool]:
    precision = steps.correct / steps.predicted
    recall = steps.correct / positives
    if objective == 'f1':
        best = _first_best(2 * steps.correct / (steps.predicted + positives))
        return _between(steps.score, best), True
    wanted, other = (precision, recall) if objective == 'precision' else (recall, precision)
    reached = wanted >= target
    if not reached.any():
        return _between(steps.score, _first_best(wanted, other)), False
    return _between(steps.score, _first_best(np.where(reached, other, -1.0))), True


def class_thresholds(
    scores: ArrayLike,
    targets: ArrayLike,
    objective: str = 'f1',
    target: float | None = None,
    default: float = 0.5,
    groups: Sequence[Group] = (),
) -> ClassThresholds:
    """Find the best threshold of each class.

    A decision is positive when the score is at least the threshold. Every distinct score is
    tried, so the result is exact; the returned number lies halfway to the next lower score,
    or is the lowest score itself. Of equally good thresholds the highest is taken.

    - ``f1``: highest F1.
    - ``precision``: highest recall among the thresholds with a precision of at least
      ``target``. Where none has it: the highest precision, then the highest recall.
    - ``recall``: highest precision among the thresholds with a recall of at least ``target``.

    Args:
        scores: Shape (N, K).
        targets: Shape (N, K): 1 positive, 0 negative, -1 ignored.
        objective: One of ``OBJECTIVES``.
        target: The precision or recall to reach, above 0 and at most 1.
        default: Threshold of a class without a positive, which cannot be tuned; its ``reached``
            is False.
        groups: Exclusive groups. A class of one is chosen only where its score is the highest of
            the group. One that must hold needs no threshold: its classes have ``default`` and are
            ``reached``.

    Raises:
        ValueError: Wrong arrays, an unknown objective, or a target that is missing, out of
            range, or given for ``f1``.
    """
    checked, checked_targets = check_scores_targets(scores, targets)
    if objective not in OBJECTIVES:
        raise ValueError(f'objective must be one of {OBJECTIVES}, got {objective!r}')
    if (target is None) != (objective == 'f1'):
        raise ValueError(
            f'target must be given for precision and recall only, got {target} for {objective}'
        )
    if target is not None and not 0 < target <= 1:
        raise ValueError(f'target must be above 0 and at most 1, got {target}')
    num_classes = checked.shape[1]
    values = np.full(num_classes, default, checked.dtype)
    reached = np.zeros(num_classes, dtype=bool)
    reached[ungated_classes(groups)] = True
    eligible = highest_of_groups(checked, groups) if groups else None  # (N, K)
    for k in np.flatnonzero(~reached).tolist():
        known = checked_targets[:, k] >= 0
        positives = int((checked_targets[known, k] == 1).sum())
        if eligible is not None:
            known &= eligible[:, k]
        positive = checked_targets[known, k] == 1
        if positive.any():
            values[k], reached[k] = _best_of_class(
                _steps(checked[known, k], positive), positives, objective, target or 0.0
            )
    return ClassThresholds(values, reached)


def _class_f1_candidates(scores: FloatArray, targets: NDArray[np.int8]) -> FloatArray:
    """Find the scores whose CF1 as a global threshold is highest up to rounding; highest first.

    Each sample changes precision and recall of its class by a known step when the threshold
    passes it. The steps of all classes, summed from the highest score down, give CP and CR at
    every threshold.
    """
    all_scores, changes = [], []
    for k in range(scores.shape[1]):
        known = targets[:, k] >= 0
        column = scores[known, k]
        order = np.argsort(-column, kind='stable')
        correct = (targets[known, k][order] == 1).cumsum()
        precision = correct / np.arange(1, len(correct) + 1)
        recall = correct / correct[-1]
        all_scores.append(column[order])
        changes.append(np.diff(np.stack([precision, recall]), prepend=0.0))
    pooled = np.concatenate(all_scores)
    order = np.argsort(-pooled, kind='stable')
    pooled = pooled[order]
    cp, cr = np.concatenate(changes, axis=1)[:, order].cumsum(axis=1) / scores.shape[1]
    last = np.append(pooled[1:] != pooled[:-1], True)
    total = cp + cr
    f1 = np.where(total > 0, 2 * cp * cr / np.where(total > 0, total, 1.0), 0.0)[last]
    return pooled[last][f1 >= f1.max() - _ROUNDING]


def overall_threshold(
    scores: ArrayLike, targets: ArrayLike, objective: str = 'CF1', default: float = 0.5
) -> float:
    """Find the one threshold for all classes that maximises CF1 or OF1.

    Exact, between scores and of equally good ones the highest, as :func:`class_thresholds`.
    CF1 leaves out classes without a positive, OF1 counts their false positives, as
    :func:`~.precision_recall.summarize_counts` does.

    Args:
        scores: Shape (N, K).
        targets: Shape (N, K): 1 positive, 0 negative, -1 ignored.
        objective: One of ``OVERALL_OBJECTIVES``.
        default: Threshold to return if no class has a positive.

    Raises:
        ValueError: Wrong arrays or an unknown objective.
    """
    checked, checked_targets = check_scores_targets(scores, targets)
    if objective not in OVERALL_OBJECTIVES:
        raise ValueError(f'objective must be one of {OVERALL_OBJECTIVES}, got {objective!r}')
    present = (checked_targets == 1).any(axis=0)
    if not present.any():
        return default
    if objective == 'CF1':
        checked, checked_targets = checked[:, present], checked_targets[:, present]
    known = checked_targets >= 0
    steps = _steps(checked[known], checked_targets[known] == 1)
    if objective == 'OF1':
        positives = int(steps.correct[-1])
        best = _first_best(2 * steps.correct / (steps.predicted + positives))
        return _between(steps.score, best)
    candidates = _class_f1_candidates(checked, checked_targets)
    f1 = np.array([threshold_metrics(checked, checked_targets, thr)['CF1'] for thr in candidates])
    chosen = candidates[int(np.argmax(f1 >= f1.max() - _EQUAL))]
    return _between(steps.score, int(np.flatnonzero(steps.score == chosen)[0]))
