"""Thresholds of the classes that have enough positives, and a table of their effect."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mmmsf.utils.groups import Group, ungated_classes

from .functional.precision_recall import threshold_decisions, threshold_metrics
from .functional.threshold_search import ClassThresholds, class_thresholds, overall_threshold
from .functional.validation import FloatArray
from .tables import THRESHOLD_KEYS, format_table

MIN_POSITIVES = 5
DIVISIONS = 50  # leaves 0.1 to 0.2 of a point between seeds, at 560 and 700 images


def tune_frequent_classes(
    scores: FloatArray,
    targets: NDArray[np.int8],
    min_positives: int = MIN_POSITIVES,
    objective: str = 'f1',
    target: float | None = None,
    default: float = 0.5,
    groups: Sequence[Group] = (),
) -> ClassThresholds:
    """Find the best threshold of each class that has enough positives.

    Args:
        scores: Shape (N, K).
        targets: Shape (N, K): 1 positive, 0 negative, -1 ignored.
        min_positives: A class with fewer positives keeps ``default``, since a few images do not
            determine a threshold; its ``reached`` is False.
        objective: See ``functional.threshold_search.class_thresholds``.
        target: Precision or recall to reach, for these two objectives.
        default: Threshold of the other classes.
        groups: Exclusive groups, see ``functional.threshold_search.class_thresholds``.

    Returns:
        Thresholds (K,), and for each class True if it was tuned and reaches the objective.
    """
    values, reached = class_thresholds(scores, targets, objective, target, default, groups)
    rare = (targets == 1).sum(axis=0) < min_positives
    rare[ungated_classes(groups)] = False
    return ClassThresholds(np.where(rare, values.dtype.type(default), values), reached & ~rare)


def held_out_decisions(
    scores: FloatArray,
    targets: NDArray[np.int8],
    min_positives: int = MIN_POSITIVES,
    groups: Sequence[Group] = (),
    seed: int = 0,
    divisions: int = DIVISIONS,
) -> NDArray[np.float64]:
    """Decide each half of the images at the thresholds that are best on the other half.

    Losses put scores on scales of their own, so F1 at one threshold for all compares the scales as
    well; thresholds tuned on the same images flatter every model. Thresholds of few images vary,
    F1 of a single division with them, by about a point for 80 classes and 700 images; so the
    images are divided several times.

    Args:
        scores: Shape (N, K), N at least 2.
        targets: Shape (N, K): 1 positive, 0 negative, -1 ignored.
        min_positives: A class with fewer positives in a half has that half's best threshold for
            all classes (CF1).
        groups: Exclusive groups, whose rules the decisions keep.
        seed: Of the divisions.
        divisions: Number of times that the images are divided, at least 1.

    Returns:
        Share of the divisions that decide for a label, shape (N, K), values 0 to 1.

    Raises:
        ValueError: There are fewer than two images, or no division.
    """
    if len(scores) < 2:
        raise ValueError(f'two halves need two images or more, got {len(scores)}')
    if divisions < 1:
        raise ValueError(f'`divisions` must be at least 1, got {divisions}')
    rng = np.random.default_rng(seed)
    decided = np.zeros(scores.shape)
    for _ in range(divisions):
        halves = np.array_split(rng.permutation(len(scores)), 2)
        for fit, held in (halves, halves[::-1]):
            default = overall_threshold(scores[fit], targets[fit])
            found = tune_frequent_classes(
                scores[fit], targets[fit], min_positives, default=default, groups=groups
            )
            decided[held] += threshold_decisions(scores[held], found.values, groups)
    return decided / divisions


def threshold_table(
    scores: FloatArray,
    targets: NDArray[np.int8],
    thresholds: Mapping[str, FloatArray | float],
    groups: Sequence[Group] = (),
) -> str:
    """Format CP .. OF1 in percent, a row for each entry of ``thresholds``.

    Args:
        scores: Shape (N, K).
        targets: Shape (N, K): 1 positive, 0 negative, -1 ignored.
        thresholds: Name of the row -> one threshold, or K.
        groups: Exclusive groups, whose rules the decisions keep.
    """
    rows = []
    for name, thr in thresholds.items():
        found = threshold_metrics(scores, targets, thr, groups=groups)
        rows.append([name, *(f'{100 * found[key]:.2f}' for key in THRESHOLD_KEYS)])
    return format_table(['threshold', *THRESHOLD_KEYS], rows)
