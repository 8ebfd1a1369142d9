import numpy as np
import pytest
from sklearn.calibration import calibration_curve as sklearn_curve

from mmmsf.evaluation.functional.calibration import (
    calibration_curve,
    calibration_error,
    classwise_calibration_error,
)


def test_curve_is_sklearns_over_the_valid_pairs() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random((200, 3)).round(2)
    targets = (rng.random((200, 3)) < scores**2).astype(np.int8)
    targets[rng.random((200, 3)) < 0.1] = -1
    valid = targets >= 0
    frequency, confidence = sklearn_curve(targets[valid], scores[valid], n_bins=10)
    curve = calibration_curve(scores, targets, bins=10)
    np.testing.assert_allclose(curve.frequency, frequency)
    np.testing.assert_allclose(curve.confidence, confidence)
    assert curve.counts.sum() == valid.sum()


def test_error_by_hand() -> None:
    # Bins of width 0.5: scores 0.2 and 0.4 (frequency 0.5), 0.9 (frequency 0).
    curve = calibration_curve([[0.2], [0.4], [0.9]], [[0], [1], [0]], bins=2)
    assert curve.counts.tolist() == [2, 1]
    assert calibration_error(curve) == pytest.approx((2 * abs(0.5 - 0.3) + 0.9) / 3)


def test_empty_bins_and_ignored_classes() -> None:
    curve = calibration_curve([[0.0, 1.0]], [[0, 1]], bins=15)
    assert curve.counts[[0, -1]].tolist() == [1, 1]
    assert np.isnan(curve.frequency[1:-1]).all()
    assert calibration_error(curve) == 0
    assert np.isnan(calibration_error(calibration_curve([[0.3]], [[-1]])))


def test_classwise_error_is_that_of_each_column() -> None:
    rng = np.random.default_rng(1)
    scores, targets = rng.random((50, 4)), rng.integers(-1, 2, (50, 4))
    expected = [
        calibration_error(calibration_curve(scores[:, k : k + 1], targets[:, k : k + 1]))
        for k in range(4)
    ]
    np.testing.assert_allclose(classwise_calibration_error(scores, targets), expected)
    # Opposite errors of two classes cancel when pooled, not by class.
    opposite = np.full((10, 2), 0.5), np.repeat([[0, 1]], 10, axis=0)
    assert calibration_error(calibration_curve(*opposite)) == 0
    assert classwise_calibration_error(*opposite).tolist() == [0.5, 0.5]


def test_scores_must_be_probabilities() -> None:
    with pytest.raises(ValueError, match=r'scores in \[0, 1\], got -1 to 2'):
        calibration_curve([[-1.0, 2.0]], [[0, 1]])
    with pytest.raises(ValueError, match='bins must be at least 1, got 0'):
        calibration_curve([[0.5]], [[0]], bins=0)
