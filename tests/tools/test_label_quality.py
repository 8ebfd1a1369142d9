"""Likelihood that a label is wrong: calibration, and flips that are found."""

import numpy as np
import pytest
from _flips import flip_labels
from _label_quality import calibrate, cleanlab_quality, likelihood_wrong
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import average_precision_score

SLOPES = np.array([1.0, 2.0, 3.0, 1.5])


def make(seed: int = 0, count: int = 2000) -> tuple[NDArray, NDArray, NDArray]:
    """True labels, log-odds and scores; the scores of each class are off by a shift and a scale."""
    rng = np.random.default_rng(seed)
    log_odds = SLOPES * rng.normal(0, 2, (count, 4)) + np.array([0.0, -2.0, -4.0, -6.0])
    targets = (rng.random(log_odds.shape) < expit(log_odds)).astype(int)
    return targets, log_odds, expit(0.5 * log_odds / SLOPES + 1)


def test_calibration_recovers_the_log_odds() -> None:
    targets, log_odds, scores = make()
    found = calibrate(scores, targets)
    assert np.abs(expit(found) - expit(log_odds)).max() < 0.15
    assert np.abs(expit(found) - expit(log_odds)).mean() < 0.01
    assert np.abs(scores - expit(log_odds)).mean() > 0.2


def test_a_class_without_labels_gets_the_common_slope() -> None:
    targets, _, scores = make()
    targets[:, 3] = 0
    found = calibrate(scores, targets)
    assert np.isfinite(found).all() and expit(found[:, 3]).max() < 0.5
    order = scores[:, 3].argsort()
    assert (np.diff(found[order, 3]) >= 0).all(), 'a higher score is no evidence against'


def test_the_likelier_the_more_frequent_are_errors() -> None:
    targets, _, scores = make(count=10000)
    flipped = flip_labels(targets, 0.05, seed=1)
    found, wrong = likelihood_wrong(scores, flipped), flipped != targets
    bins = [(found > low) & (found <= low + 0.2) for low in (0, 0.2, 0.4, 0.6, 0.8)]
    shares = [wrong[inside].mean() for inside in bins]
    assert sorted(shares) == shares and shares[0] < 0.02 and shares[-1] > 0.9
    by_score = np.where(flipped == 1, 1 - scores, scores)
    ours, other = (average_precision_score(wrong.ravel(), x.ravel()) for x in (found, by_score))
    assert ours > other + 0.2


def test_a_score_never_speaks_against_its_class() -> None:
    """Also where the few labels of a class contradict its scores."""
    targets, _, scores = make(count=100)
    targets[:, 3] = scores[:, 3] < np.sort(scores[:, 3])[2]
    found = calibrate(scores, targets)
    assert np.ptp(found[:, 3]) == 0 and np.ptp(found[:, 2]) > 1


def test_unknown_labels_count_for_nothing() -> None:
    targets, _, scores = make(count=300)
    targets[::3, 1] = -1
    found = likelihood_wrong(scores, targets)
    assert np.isnan(found).sum() == 100 and np.isnan(found[::3, 1]).all()
    scores[::3, 1] = 0.999
    np.testing.assert_array_equal(likelihood_wrong(scores, targets), found)


def test_scores_of_zero_and_one() -> None:
    targets = np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
    found = likelihood_wrong(np.array([[1, 0], [0, 1], [0, 1], [0, 0]], np.float32), targets)
    assert np.isfinite(found).all() and found.argmax() == 4  # marked, with the score 0


@pytest.mark.parametrize('value', [0, 1])
def test_labels_of_one_value_are_refused(value: int) -> None:
    with pytest.raises(ValueError, match=f'got {4 * value} marks in 4'):
        likelihood_wrong(np.full((2, 2), 0.5), np.full((2, 2), value))


def test_cleanlab_ranks_by_the_score_alone() -> None:
    pytest.importorskip('cleanlab')
    targets, _, scores = make(count=30)
    found = cleanlab_quality(scores, targets)
    np.testing.assert_allclose(found, np.where(targets == 1, 1 - scores, scores))
    targets[0, 0] = -1
    with pytest.raises(ValueError, match='unknown'):
        cleanlab_quality(scores, targets)


def test_flips() -> None:
    targets, _, _ = make()
    targets[:5] = -1
    flipped = flip_labels(targets, 0.05, seed=3)
    lost, false = (targets == 1) & (flipped == 0), (targets == 0) & (flipped == 1)
    assert lost.sum() == round(0.05 * (targets == 1).sum())
    np.testing.assert_array_equal(lost.sum(axis=0), false.sum(axis=0))
    assert ((flipped != targets) == (lost | false)).all()
    assert (flip_labels(targets, 0.05, seed=3) == flipped).all()
