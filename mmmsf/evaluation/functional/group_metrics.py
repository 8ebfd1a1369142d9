"""Accuracy and F1 of exclusive groups."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmmsf.utils.groups import Group, true_outcomes


class GroupResult(NamedTuple):
    """Hold the result of one group.

    Attributes:
        name: Name of the group.
        rule: Rule of the group.
        size: Number of its classes M.
        accuracy: Rate of the images whose outcome is right, 0 to 1; NaN without a known image.
        f1: Mean F1 of the classes that occur, 0 to 1; NaN without one.
        known: Number of images whose outcome is known, and which count.
        unknown: Number of the other images.
    """

    name: str
    rule: str
    size: int
    accuracy: float
    f1: float
    known: int
    unknown: int


def group_metrics(
    decisions: NDArray[np.bool_],
    targets: NDArray[np.int8],
    group: Group,
    min_positives: int = 1,
) -> GroupResult:
    """Compare the chosen outcomes of a group with the true ones.

    Args:
        decisions: (N, K), with the rule of the group kept.
        targets: (N, K): 1 positive, 0 negative, -1 unknown.
        group: Group of M classes; "none of them" is an outcome too, which counts in the accuracy
            but has no F1 of its own.
        min_positives: Classes with fewer positives are left out of the mean F1.
    """
    size = len(group.classes)
    truth = true_outcomes(targets, group)
    known = truth >= 0
    truth, chosen = truth[known], decisions[known][:, group.columns]
    found = np.where(chosen.any(axis=1), chosen.argmax(axis=1), size)
    right = found == truth
    counts = [np.bincount(x, minlength=size + 1)[:size] for x in (truth[right], found, truth)]
    correct, predicted, positives = counts
    kept = positives >= max(min_positives, 1)
    f1 = 2 * correct[kept] / (predicted + positives)[kept]
    return GroupResult(
        group.name,
        group.rule,
        size,
        float(right.mean()) if len(right) else float('nan'),
        float(f1.mean()) if len(f1) else float('nan'),
        int(known.sum()),
        int((~known).sum()),
    )


def summarize_groups(results: Sequence[GroupResult]) -> dict[str, float]:
    """Name the rates of all groups, 0 to 1: ``acc_<name>``, ``f1_<name>``, ``mAcc`` and ``mF1``.

    A rate that is undefined has no entry and no part in the mean.
    """
    summary: dict[str, float] = {}
    for prefix, mean, rates in (
        ('acc', 'mAcc', {x.name: x.accuracy for x in results}),
        ('f1', 'mF1', {x.name: x.f1 for x in results}),
    ):
        valid = {name: value for name, value in rates.items() if not np.isnan(value)}
        summary |= {f'{prefix}_{name}': value for name, value in valid.items()}
        if valid:
            summary[mean] = float(np.mean(list(valid.values())))
    return summary
