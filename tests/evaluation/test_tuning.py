"""Decisions at thresholds tuned on other images."""

import numpy as np
import pytest

from mmmsf.evaluation.functional import threshold_decisions
from mmmsf.evaluation.functional.threshold_search import class_thresholds, overall_threshold
from mmmsf.evaluation.tuning import held_out_decisions


def make(count: int = 101) -> tuple[np.ndarray, np.ndarray]:
    """Make scores in sixteenths, of which halves and quarters are exact; the last class is rare."""
    rng = np.random.default_rng(0)
    targets = (rng.random((count, 3)) < (0.5, 0.3, 0.03)).astype(np.int8)
    scores = (targets * rng.integers(4, 16, targets.shape) + rng.integers(0, 8, targets.shape)) / 32
    return scores.astype(np.float32), targets


def test_each_half_has_the_thresholds_of_the_other() -> None:
    scores, targets = make()
    decisions = held_out_decisions(scores, targets, seed=3)
    halves = np.array_split(np.random.default_rng(3).permutation(len(scores)), 2)
    for fit, held in (halves, halves[::-1]):
        assert (targets[fit, 2] == 1).sum() < 5 <= (targets[fit, :2] == 1).sum(axis=0).min()
        values, _ = class_thresholds(scores[fit], targets[fit])
        values[2] = overall_threshold(scores[fit], targets[fit])
        np.testing.assert_array_equal(decisions[held], threshold_decisions(scores[held], values))


def test_an_image_does_not_decide_on_itself() -> None:
    scores, targets = make()
    decisions = held_out_decisions(scores, targets)
    first, _ = np.array_split(np.random.default_rng(0).permutation(len(scores)), 2)
    other = targets.copy()
    other[first] = 1 - other[first]
    changed = held_out_decisions(scores, other)
    np.testing.assert_array_equal(decisions[first], changed[first])
    assert (decisions != changed).any()


def test_the_scale_of_the_scores_does_not_matter() -> None:
    scores, targets = make()
    decisions = held_out_decisions(scores, targets)
    np.testing.assert_array_equal(held_out_decisions(scores / 8, targets), decisions)


def test_one_image_has_no_halves() -> None:
    with pytest.raises(ValueError, match='two halves need two images or more, got 1'):
        held_out_decisions(*make(1))
