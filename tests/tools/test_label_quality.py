"""Likelihood that a label is wrong: calibration, and flips that are found."""

import numpy as np
import pytest
from _flips import flip_labels, locate
from _label_quality import cleanlab_likelihood, likelihood_wrong
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
    found = likelihood_wrong(scores, targets)[:, 3]
    absent = np.flatnonzero(targets[:, 3] == 0)
    assert (np.diff(found[absent[scores[absent, 3].argsort()]]) >= 0).all()


def test_a_mark_of_a_rare_class_is_no_more_suspect() -> None:
    """Of two classes with the same distribution of scores given the label."""
    rng = np.random.default_rng(0)
    targets = np.stack([rng.random(20000) < 0.5, rng.random(20000) < 0.01], axis=1).astype(int)
    scores = expit(rng.normal(np.where(targets == 1, 1, -1), 1))
    found = likelihood_wrong(scores, targets)
    common, rare = (np.median(found[targets[:, k] == 1, k]) for k in range(2))
    assert rare == pytest.approx(common, rel=0.5)
    common, rare = (np.median(found[targets[:, k] == 0, k]) for k in range(2))
    assert rare < 0.05 * common


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
    with pytest.raises(ValueError, match=f'got {4 * value} and {4 - 4 * value}'):
        likelihood_wrong(np.full((2, 2), 0.5), np.full((2, 2), value))


def test_cleanlab_ranks_by_its_flags_then_by_the_score() -> None:
    pytest.importorskip('cleanlab')
    targets, _, scores = make(count=300)
    targets = flip_labels(targets, 0.05, seed=0)
    found = cleanlab_likelihood(scores, targets)
    quality = np.where(targets == 1, 1 - scores, scores)
    flagged = found > 0.5
    assert 0 < flagged.sum() < 300
    np.testing.assert_allclose(found, (quality + flagged) / 2)
    targets[0, 0] = -1
    with pytest.raises(ValueError, match='unknown labels, got 1'):
        cleanlab_likelihood(scores, targets)


def test_flips() -> None:
    targets, _, _ = make()
    targets[:5] = -1
    flipped = flip_labels(targets, 0.05, seed=3)
    lost, false = (targets == 1) & (flipped == 0), (targets == 0) & (flipped == 1)
    assert lost.sum() == round(0.05 * (targets == 1).sum())
    np.testing.assert_array_equal(lost.sum(axis=0), false.sum(axis=0))
    assert ((flipped != targets) == (lost | false)).all()
    assert (flip_labels(targets, 0.05, seed=3) == flipped).all()


def test_place_of_the_flips() -> None:
    rng = np.random.default_rng(0)
    ranked = [(f'{i}.jpg', 'cat') for i in range(200)]
    hits = np.sort(rng.permutation(200)[:12])
    hits[0] = 0
    found = locate([ranked[i] for i in hits[::-1]], ranked)
    truth = np.isin(np.arange(200), hits)
    expected = average_precision_score(truth, -np.arange(200))
    assert found['average_precision'] == pytest.approx(100 * expected)
    assert found['first_5_percent'] == pytest.approx(100 * (hits < 10).mean())
    assert found['first_flips'] == pytest.approx(100 * (hits < 12).mean())
    with pytest.raises(ValueError, match='12 flips, 12 of them not'):
        locate([ranked[i] for i in hits], [('0.jpg', 'dog')])
