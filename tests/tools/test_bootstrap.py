"""Weighted metrics against those of repeated rows, and the paired bootstrap."""

import numpy as np
import pytest
from _bootstrap import bootstrap_metrics, paired_difference, resample_weights
from _weighted_metrics import weighted_average_precision, weighted_f1, weighted_metrics
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from mmmsf.evaluation.functional import size_aware_average_precision, threshold_metrics

N, K, R = 60, 5, 7


@pytest.fixture
def data() -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Scores with many ties, targets with ignored ones and a rare class, sizes, weights."""
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 12, (N, K)).astype(np.float32) / 11
    targets = rng.choice([-1, 0, 1], p=[0.1, 0.6, 0.3], size=(N, K)).astype(np.int8)
    targets[:, 4] = 0
    targets[3, 4] = 1  # missing in about a third of the resamples
    sizes = np.where(targets == 1, rng.integers(0, 4, (N, K)), 0).astype(np.int8)
    return scores, targets, sizes, resample_weights(N, R, rng)


def test_weights_are_counts_of_a_draw_with_replacement() -> None:
    weights = resample_weights(1000, 30, np.random.default_rng(1))
    assert weights.shape == (1000, 30)
    assert (weights.sum(axis=0) == 1000).all()
    assert abs((weights == 0).mean() - np.exp(-1)) < 0.01
    assert len(np.unique(weights, axis=1).T) == 30


def test_ap_equals_that_of_repeated_rows(data: tuple) -> None:
    scores, targets, sizes, weights = data
    ap = weighted_average_precision(scores, targets, weights, sizes)
    assert ap.shape == (4, K, R)
    for r in range(R):
        rows = np.repeat(np.arange(N), weights[:, r])
        every, by_size = size_aware_average_precision(scores[rows], targets[rows], sizes[rows])
        np.testing.assert_allclose(ap[:, :, r], np.stack([every, *by_size]), rtol=1e-12)
    assert np.isnan(ap[0, 4]).any()
    assert not np.isnan(ap[0, 4]).all()


def test_ap_of_one_class_equals_scikit_learn(data: tuple) -> None:
    scores, targets, _, weights = data
    known = targets[:, 0] >= 0
    ap = weighted_average_precision(scores, targets, weights)
    for r in range(R):
        expected = average_precision_score(
            targets[known, 0], scores[known, 0], sample_weight=weights[known, r]
        )
        np.testing.assert_allclose(ap[0, 0, r], expected, rtol=1e-12)


def test_metrics_equal_those_of_repeated_rows(data: tuple) -> None:
    scores, targets, sizes, weights = data
    thr = np.array([0.3, 0.5, 0.9, 2.0, 0.5])  # class 3 is never predicted
    metrics = weighted_metrics(scores, targets, sizes, weights, thr)
    assert list(metrics) == ['mAP', 'mAP_small', 'mAP_medium', 'mAP_large', 'CF1', 'OF1']
    for r in range(R):
        rows = np.repeat(np.arange(N), weights[:, r])
        every, by_size = size_aware_average_precision(scores[rows], targets[rows], sizes[rows])
        decided = threshold_metrics(scores[rows], targets[rows], thr)
        expected = [*(np.nanmean(x) for x in (every, *by_size)), decided['CF1'], decided['OF1']]
        np.testing.assert_allclose([x[r] for x in metrics.values()], expected, rtol=1e-12)


def test_no_positive_and_no_prediction(data: tuple) -> None:
    scores, targets, _, weights = data
    nothing = weighted_metrics(scores, np.zeros_like(targets), None, weights)
    assert all(np.isnan(x).all() for x in nothing.values())
    silent = weighted_metrics(scores, targets, None, weights, thr=2.0)
    assert (silent['CF1'] == 0).all() and (silent['OF1'] == 0).all()


def test_counts_of_shares_are_means(data: tuple) -> None:
    _, targets, _, weights = data
    first, second = (np.random.default_rng(x).random(targets.shape) < 0.02 for x in (0, 1))
    found = weighted_f1((first.astype(float) + second) / 2, targets, weights)
    drawn = weights.astype(float)

    def count(mask: NDArray) -> NDArray:
        return mask.T.astype(float) @ drawn

    correct = (count(first & (targets == 1)) + count(second & (targets == 1))) / 2
    predicted = (count(first & (targets >= 0)) + count(second & (targets >= 0))) / 2
    assert ((predicted > 0) & (predicted < 1)).any()  # a class may be predicted half a time
    positives = count(targets == 1)
    for r in range(weights.shape[1]):
        present = positives[:, r] > 0
        with np.errstate(invalid='ignore'):
            precision = np.nan_to_num(correct[:, r] / predicted[:, r])[present].mean()
        recall = (correct[:, r] / np.maximum(positives[:, r], 1))[present].mean()
        assert found['CF1'][r] == pytest.approx(2 * precision * recall / (precision + recall))
        total = predicted[:, r].sum() + positives[:, r].sum()
        assert found['OF1'][r] == pytest.approx(2 * correct[:, r].sum() / total)


def test_bootstrap_is_paired_seeded_and_starts_with_the_images_themselves(data: tuple) -> None:
    scores, targets, sizes, _ = data
    first, second = bootstrap_metrics([scores, scores], targets, sizes, num_resamples=70, seed=5)
    again, other = (
        bootstrap_metrics([scores], targets, sizes, num_resamples=70, seed=seed)[0]
        for seed in (5, 6)
    )
    for name, values in first.items():
        assert values.shape == (71,)
        np.testing.assert_array_equal(values, second[name])
        np.testing.assert_array_equal(values, again[name])
    assert not np.array_equal(first['mAP'], other['mAP'])
    every, _ = size_aware_average_precision(scores, targets, sizes)
    np.testing.assert_allclose(first['mAP'][0], np.nanmean(every), rtol=1e-12)
    assert len(np.unique(first['mAP'])) > 65  # 70 different resamples, in more than one chunk


def test_the_interval_covers_the_spread_of_fresh_samples() -> None:
    """The standard error of mAP in one sample is near its spread over many samples."""
    rng = np.random.default_rng(2)

    def sample() -> tuple[NDArray, NDArray]:
        targets = (rng.random((400, 2)) < 0.3).astype(np.int8)
        return targets + rng.normal(size=targets.shape), targets

    fresh = []
    for _ in range(200):
        scores, targets = sample()
        fresh.append(weighted_metrics(scores, targets, None, np.ones((400, 1), np.int32))['mAP'])
    scores, targets = sample()
    drawn = bootstrap_metrics([scores], targets, num_resamples=300)[0]['mAP'][1:]
    assert 0.75 < drawn.std() / np.std(fresh) < 1.33


def test_difference() -> None:
    a = np.zeros(102)
    b = np.append(0.5, np.arange(-20, 81))  # 101 resamples
    difference = paired_difference(a, b, level=0.9)
    assert difference == pytest.approx((0.5, -15, 75, 80 / 101))
    b[1:12] = np.nan  # those below -9
    assert paired_difference(a, b).share_below == pytest.approx(80 / 90)
    assert np.isnan(paired_difference(a, np.full(102, np.nan))).all()
    with pytest.raises(ValueError, match='level must be between 0 and 1, got 1'):
        paired_difference(a, b, level=1.0)


def test_weights_of_another_length_are_refused(data: tuple) -> None:
    scores, targets, _, weights = data
    with pytest.raises(ValueError, match=r'weights must have shape \(60, R\), got \(59, 7\)'):
        weighted_average_precision(scores, targets, weights[:-1])
