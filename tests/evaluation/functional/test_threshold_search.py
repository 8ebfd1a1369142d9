"""Tuned thresholds against a slow loop over all of them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmmsf.evaluation.functional import threshold_metrics
from mmmsf.evaluation.functional.threshold_search import class_thresholds, overall_threshold


def rates(scores: np.ndarray, targets: np.ndarray, thr: float) -> tuple[float, float, float]:
    """Count precision, recall and F1 of one class."""
    right = wrong = missed = 0
    for score, target in zip(scores, targets, strict=True):
        if target == 1 and score >= thr:
            right += 1
        elif target == 1:
            missed += 1
        elif target == 0 and score >= thr:
            wrong += 1
    precision = right / (right + wrong) if right + wrong else 0.0
    return precision, right / (right + missed), 2 * right / (2 * right + wrong + missed)


def best_by_loop(
    scores: np.ndarray, targets: np.ndarray, objective: str, target: float | None
) -> tuple[Any, bool]:
    """Find the best sort key over every distinct score, and if the target can be reached."""
    keys = []
    for thr in sorted(set(scores[targets >= 0].tolist())):
        precision, recall, f1 = rates(scores, targets, thr)
        wanted, other = (precision, recall) if objective == 'precision' else (recall, precision)
        if objective == 'f1':
            keys.append((True, f1, thr))
        elif wanted >= target:
            keys.append((True, other, thr))
        else:
            keys.append((False, wanted, other, thr))
    return max(keys), max(keys)[0]


def key_of(
    scores: np.ndarray, targets: np.ndarray, objective: str, target: float | None, thr: float
) -> Any:
    """Return the sort key of a threshold, replaced by the lowest score that it accepts."""
    known = scores[targets >= 0]
    lowest = float(known[known >= np.asarray(thr, scores.dtype)].min())
    precision, recall, f1 = rates(scores, targets, lowest)
    wanted, other = (precision, recall) if objective == 'precision' else (recall, precision)
    if objective == 'f1':
        return True, f1, lowest
    if wanted >= target:
        return True, other, lowest
    return False, wanted, other, lowest


@st.composite
def cases(draw: Any) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 25)), draw(st.integers(1, 4))
    scores = rng.random(shape).astype(draw(st.sampled_from(['f4', 'f8'])))
    if draw(st.booleans()):
        scores = scores.round(1)  # many ties
    return scores, rng.choice([-1, 0, 1], shape, p=[0.1, 0.6, 0.3]).astype(np.int8)


@given(
    cases(),
    st.sampled_from(
        [('f1', None), ('precision', 0.5), ('precision', 0.9), ('recall', 0.5), ('recall', 1.0)]
    ),
)
@settings(max_examples=150, deadline=None)
def test_class_thresholds_are_the_best_of_all(
    case: tuple[np.ndarray, np.ndarray], rule: tuple[str, float | None]
) -> None:
    scores, targets = case
    values, reached = class_thresholds(scores, targets, *rule)
    assert values.dtype == scores.dtype
    for k in range(scores.shape[1]):
        column, truth = scores[:, k], targets[:, k]
        if not (truth == 1).any():
            assert values[k] == 0.5 and not reached[k]
            continue
        best, possible = best_by_loop(column, truth, *rule)
        assert key_of(column, truth, *rule, values[k]) == best
        assert reached[k] == possible


@given(cases(), st.sampled_from(['CF1', 'OF1']))
@settings(max_examples=150, deadline=None)
def test_overall_threshold_is_the_best_of_all(
    case: tuple[np.ndarray, np.ndarray], objective: str
) -> None:
    scores, targets = case
    found = overall_threshold(scores, targets, objective)
    if not (targets == 1).any():
        assert found == 0.5
        return
    every = {
        float(thr): threshold_metrics(scores, targets, thr)[objective]
        for thr in scores[targets >= 0]
    }
    best = max(every.values())
    assert threshold_metrics(scores, targets, found)[objective] == pytest.approx(best, abs=1e-12)
    present = (targets == 1).any(axis=0) | (objective == 'OF1')
    counted = scores[:, present][targets[:, present] >= 0]
    highest = max(thr for thr, value in every.items() if value > best - 1e-12)
    assert found <= highest
    assert (counted[counted >= np.asarray(found, scores.dtype)] >= highest).all()


@given(cases(), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_order_of_images_and_classes_does_not_matter(
    case: tuple[np.ndarray, np.ndarray], seed: int
) -> None:
    scores, targets = case
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(scores.shape[0]), rng.permutation(scores.shape[1])
    moved = scores[rows][:, columns], targets[rows][:, columns]
    np.testing.assert_array_equal(
        class_thresholds(*moved).values, class_thresholds(scores, targets).values[columns]
    )
    assert overall_threshold(*moved) == overall_threshold(scores, targets)


def test_values_lie_between_scores() -> None:
    scores = np.array([[0.9], [0.8], [0.4], [0.2]], np.float32)
    targets = np.array([[1], [1], [0], [1]])
    assert class_thresholds(scores, targets).values == pytest.approx(0.2)  # F1 6/7
    assert class_thresholds(scores, targets, 'precision', 1.0).values == pytest.approx(0.6)
    assert class_thresholds(scores, targets, 'recall', 0.3).values == pytest.approx(0.85)
    assert overall_threshold(scores, targets, 'OF1') == pytest.approx(0.2)


def test_neighbouring_floats_are_told_apart() -> None:
    low = np.float32(0.3)
    scores = np.array([[np.nextafter(low, np.float32(1))], [low]], np.float32)
    values, _ = class_thresholds(scores, np.array([[1], [0]]))
    assert (scores >= values).tolist() == [[True], [False]]


def test_unreachable_precision_takes_the_highest() -> None:
    scores = np.array([[0.9], [0.8], [0.7], [0.6], [0.5]])
    targets = np.array([[0], [1], [1], [0], [1]])
    values, reached = class_thresholds(scores, targets, 'precision', 0.99)
    assert values == pytest.approx(0.65)  # 2 of 3
    assert not reached


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('ap', None), "objective must be one of .* got 'ap'"),
        (('f1', 0.5), 'target must be given for precision and recall only'),
        (('precision', None), 'target must be given for precision and recall only'),
        (('recall', 1.5), 'target must be above 0 and at most 1, got 1.5'),
    ],
)
def test_wrong_arguments(arguments: tuple[str, float | None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        class_thresholds(np.zeros((2, 1)), np.ones((2, 1)), *arguments)
    with pytest.raises(ValueError, match="objective must be one of .* got 'F1'"):
        overall_threshold(np.zeros((2, 1)), np.ones((2, 1)), 'F1')
