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


def by_hand(scores: np.ndarray, targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the decisions of one division."""
    decided = np.empty(scores.shape)
    halves = np.array_split(rng.permutation(len(scores)), 2)
    for fit, held in (halves, halves[::-1]):
        assert (targets[fit, 2] == 1).sum() < 5 <= (targets[fit, :2] == 1).sum(axis=0).min()
        values, _ = class_thresholds(scores[fit], targets[fit])
        values[2] = overall_threshold(scores[fit], targets[fit])
        decided[held] = threshold_decisions(scores[held], values)
    return decided


def test_each_half_has_the_thresholds_of_the_other() -> None:
    scores, targets = make(81)
    rng = np.random.default_rng(3)
    expected = [by_hand(scores, targets, rng) for _ in range(4)]
    one, four = (held_out_decisions(scores, targets, seed=3, divisions=n) for n in (1, 4))
    np.testing.assert_array_equal(one, expected[0])
    np.testing.assert_array_equal(four, np.mean(expected, axis=0))
    assert ((four > 0) & (four < 1)).any()


def test_an_image_does_not_decide_on_itself() -> None:
    scores, targets = make()
    decisions = held_out_decisions(scores, targets, divisions=1)
    first, _ = np.array_split(np.random.default_rng(0).permutation(len(scores)), 2)
    other = targets.copy()
    other[first] = 1 - other[first]
    changed = held_out_decisions(scores, other, divisions=1)
    np.testing.assert_array_equal(decisions[first], changed[first])
    assert (decisions != changed).any()


def test_the_scale_of_the_scores_does_not_matter() -> None:
    scores, targets = make()
    decisions = held_out_decisions(scores, targets)
    np.testing.assert_array_equal(held_out_decisions(scores / 8, targets), decisions)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match='two halves need two images or more, got 1'):
        held_out_decisions(*make(1))
    with pytest.raises(ValueError, match='`divisions` must be at least 1, got 0'):
        held_out_decisions(*make(), divisions=0)
