"""Accuracy and F1 of groups against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from mmmsf.evaluation.functional.group_metrics import (
    GroupResult,
    group_metrics,
    summarize_groups,
)
from mmmsf.evaluation.functional.precision_recall import threshold_decisions
from mmmsf.utils.groups import Group


@pytest.mark.parametrize('rule', ['one', 'at_most_one'])
def test_rates_equal_those_of_scikit_learn(rule: str) -> None:
    rng = np.random.default_rng(0)
    group = Group('g', (3, 0, 2), rule)
    truth = rng.integers(0, 3 if rule == 'one' else 4, 60)
    truth[truth == 2] = 1  # the last class never occurs
    targets = np.zeros((60, 5), np.int8)
    for i, outcome in enumerate(truth):
        if outcome < 3:
            targets[i, group.classes[outcome]] = 1
    targets[:9, 4] = -1  # of no group
    targets[50:53][:, group.columns] = -1
    targets[53, group.columns] = [-1, 0, 0]
    targets[54, group.columns] = [1, -1, -1]  # known by its positive
    truth[54] = 0
    scores = rng.random((60, 5))
    decided = threshold_decisions(scores, 0.6, [group])
    part = scores[:, group.columns]
    found = part.argmax(axis=1)
    if rule == 'at_most_one':
        found[part.max(axis=1) < 0.6] = 3
    known = np.r_[0:50, 54:60]
    result = group_metrics(decided, targets, group)
    assert (result.known, result.unknown, result.size) == (56, 4, 3)
    assert result.accuracy == pytest.approx(accuracy_score(truth[known], found[known]))
    expected = f1_score(truth[known], found[known], labels=[0, 1], average='macro')
    assert result.f1 == pytest.approx(expected)
    frequent = int((truth[known] == 0).sum())
    if frequent > (truth[known] == 1).sum():
        return
    only = f1_score(truth[known], found[known], labels=[1], average='macro')
    assert group_metrics(decided, targets, group, frequent + 1).f1 == pytest.approx(only)


def test_undefined_rates_have_no_entry_and_no_part_in_the_mean() -> None:
    nan = float('nan')
    results = [
        GroupResult('a', 'one', 2, 0.5, 0.25, 4, 0),
        GroupResult('b', 'one', 2, nan, nan, 0, 4),
        GroupResult('c', 'at_most_one', 2, 1.0, nan, 4, 0),
    ]
    summary = summarize_groups(results)
    assert summary == {'acc_a': 0.5, 'acc_c': 1.0, 'mAcc': 0.75, 'f1_a': 0.25, 'mF1': 0.25}
    assert summarize_groups([]) == {}
