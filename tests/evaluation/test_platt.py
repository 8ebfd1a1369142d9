"""The fit against scikit-learn and a minimiser, and what becomes of classes with few labels."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from mmmsf.evaluation import platt
from mmmsf.evaluation.functional.calibration import calibration_curve, calibration_error
from mmmsf.evaluation.platt import fit_calibration, fit_lines
from mmmsf.models.heads.calibration import calibrate_scores, score_logits


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def make(num: int, lines: list[tuple[float, float]], seed: int = 0) -> tuple:
    """Logits, and targets that have the frequency of the line of their class; some unknown."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 2, (num, len(lines)))
    slopes, offsets = np.transpose(lines)
    targets = (rng.random(logits.shape) < sigmoid(slopes * logits + offsets)).astype(np.int8)
    targets[rng.random(logits.shape) < 0.1] = -1
    return logits, targets


def test_lines_are_those_of_scikit_learn() -> None:
    logits, targets = make(200, [(0.5, 1), (2, -3), (1, 0), (-1, 0)])
    targets[:, 2] = logits[:, 2] > 0  # separable: only the prior ends the slope's growth
    found = fit_lines(logits.T, targets.T, (0.0, 0.0), (1.5, 1.5))
    for k in range(4):
        known = targets[:, k] >= 0
        model = LogisticRegression(C=1.5**2, fit_intercept=False, tol=1e-10, max_iter=1000)
        model.fit(np.stack([logits[known, k], np.ones(known.sum())], 1), targets[known, k])
        slope, offset = model.coef_[0]
        assert (found.slopes[k], found.offsets[k]) == pytest.approx((slope, offset), abs=1e-5)


def test_a_class_is_drawn_towards_the_shared_line() -> None:
    logits, targets = make(300, [(1.0, -1), (1.5, -2), (2.0, 0), (1.0, -3)])
    targets[20:, 1] = -1
    fitted = fit_calibration(sigmoid(logits), targets)
    slope, offset = fitted.shared
    known = targets >= 0
    alone = LogisticRegression(C=1e6, tol=1e-10).fit(logits[known][:, None], targets[known])
    assert slope == pytest.approx(alone.coef_[0, 0], abs=0.01)
    for k in range(4):
        x, y = logits[known[:, k], k], targets[known[:, k], k]

        def loss(line: np.ndarray, x: np.ndarray = x, y: np.ndarray = y) -> float:
            z = line[0] * x + line[1]
            prior = ((line[0] - slope) / (0.2 * slope)) ** 2 + ((line[1] - offset) / 0.5) ** 2
            return float(np.sum(np.logaddexp(0, z) - y * z) + prior / 2)

        best = minimize(loss, fitted.shared, tol=1e-10).x
        line = fitted.calibration.slopes[k], fitted.calibration.offsets[k]
        assert line == pytest.approx(best, abs=1e-4)
    assert fitted.notes == [''] * 4


def test_frequencies_are_those_of_a_fit_of_any_shape() -> None:
    """On enough images, of the line that the labels follow."""
    logits, targets = make(20_000, [(2.4, -3), (1.2, -1)])
    scores = sigmoid(logits)
    calibrated = calibrate_scores(scores, fit_calibration(scores, targets).calibration)
    for k in range(2):
        known = targets[:, k] >= 0
        free = IsotonicRegression(out_of_bounds='clip').fit(scores[known, k], targets[known, k])
        assert np.abs(free.predict(scores[:, k]) - calibrated[:, k]).mean() < 0.01
    assert calibration_error(calibration_curve(scores, targets)) > 0.1
    assert calibration_error(calibration_curve(calibrated, targets)) < 0.005


def test_classes_without_a_positive_or_a_negative_have_the_shared_line() -> None:
    logits, targets = make(200, [(2, -1)] * 4)
    targets[:, 1] = 0
    targets[:, 2] = np.where(targets[:, 2] < 0, -1, 1)
    targets[:, 3] = -1
    fitted = fit_calibration(sigmoid(logits), targets)
    for k in (1, 2, 3):
        assert (fitted.calibration.slopes[k], fitted.calibration.offsets[k]) == fitted.shared
    assert [bool(note) for note in fitted.notes] == [False, True, True, True]
    assert 'no positive' in fitted.notes[1] and 'no negative' in fitted.notes[2]


def test_scores_that_fall_with_the_labels_keep_their_order() -> None:
    logits, targets = make(2000, [(2, -1), (2, -1), (-2, -1)])
    fitted = fit_calibration(sigmoid(logits), targets)
    slopes, offsets = fitted.calibration
    assert slopes[2] == pytest.approx(0.1 * fitted.shared[0]) and slopes.min() > 0
    assert fitted.notes[:2] == ['', ''] and 'do not rise' in fitted.notes[2]
    chance = sigmoid(slopes[2] * logits[:, 2] + offsets[2])[targets[:, 2] >= 0]
    share = (targets[:, 2] == 1).sum() / (targets[:, 2] >= 0).sum()
    assert chance.mean() == pytest.approx(share, abs=0.01)


def test_the_division_into_chunks_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, targets = make(100, [(2, -1)] * 7)
    scores = sigmoid(logits).astype(np.float32)
    whole = fit_calibration(scores, targets)
    monkeypatch.setattr(platt, '_CHUNK_ENTRIES', 250)
    monkeypatch.setattr(platt, '_BLOCK', 3)
    parts = fit_calibration(scores, targets)
    np.testing.assert_allclose(parts.calibration, whole.calibration, rtol=1e-9)


def test_hard_scores_are_fitted() -> None:
    """Zeros and ones of a saturated network, and a class that the scores separate."""
    targets = (np.arange(60)[:, None] < [30, 3]).astype(np.int8)
    scores = targets.astype(np.float32)
    fitted = fit_calibration(scores, targets)
    calibrated = calibrate_scores(scores, fitted.calibration)
    assert ((calibrated > 0.9) == (targets == 1)).all() and calibrated.max() < 1
    assert np.isfinite(score_logits(scores)).all()


def test_what_cannot_be_calibrated_is_refused() -> None:
    logits, targets = make(200, [(-2, 0)] * 2)
    with pytest.raises(ValueError, match='must rise with the labels .* order of the classes'):
        fit_calibration(sigmoid(logits), targets)
    with pytest.raises(ValueError, match=r'must lie in \[0, 1\], got -'):
        fit_calibration(logits, targets)
    for value, counts in ((0, '0 and 400'), (1, '400 and 0')):
        with pytest.raises(ValueError, match=f'a positive and a negative .* got {counts}'):
            fit_calibration(sigmoid(logits), np.full_like(targets, value))
