import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_curve

from mmmsf.evaluation.functional import count_decisions, threshold_decisions
from mmmsf.evaluation.functional.curves import counts_at_thresholds, decision_curve, thin_curve


def make(seed: int, num: int = 60, ties: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Draw scores (N, 4), with ties on request, and targets with ignored ones."""
    rng = np.random.default_rng(seed)
    scores = rng.random((num, 4)).astype(np.float32)
    if ties:
        scores = scores.round(1)
    return scores, rng.choice([-1, 0, 1], (num, 4), p=[0.1, 0.5, 0.4]).astype(np.int8)


@pytest.mark.parametrize('ties', [True, False])
def test_curve_is_sklearns(ties: bool) -> None:
    scores, targets = make(0, ties=ties)
    for k in range(4):
        valid = targets[:, k] >= 0
        precision, recall, thresholds = precision_recall_curve(targets[valid, k], scores[valid, k])
        curve = decision_curve(scores[:, k], targets[:, k])
        np.testing.assert_allclose(curve.thresholds, thresholds)
        np.testing.assert_allclose(curve.precision, precision[:-1])
        np.testing.assert_allclose(curve.recall, recall[:-1])
        expected = [
            f1_score(targets[valid, k], scores[valid, k] >= np.float32(thr)) for thr in thresholds
        ]
        np.testing.assert_allclose(curve.f1, expected)


def test_curve_without_a_positive_or_without_a_target() -> None:
    curve = decision_curve([0.2, 0.3], [0, 0])
    assert curve.precision.tolist() == [0, 0]
    assert np.isnan(curve.recall).all()
    assert np.isnan(curve.f1).all()
    assert all(values.size == 0 for values in decision_curve([0.2, 0.3], [-1, -1]))
    with pytest.raises(ValueError, match='scores must be finite'):
        decision_curve([float('nan')], [1])


def test_a_thinned_curve_keeps_true_points_the_ends_and_the_best() -> None:
    rng = np.random.default_rng(1)
    targets = (rng.random(5000) < 0.03).astype(np.int8)
    curve = decision_curve(rng.normal(size=5000) + 2 * targets, targets)
    thin = thin_curve(curve, 20)
    assert thin.thresholds.size <= 41
    assert np.isin(np.stack(thin, 1), np.stack(curve, 1)).all()
    assert thin.f1.max() == curve.f1.max()
    assert thin.thresholds[[0, -1]].tolist() == curve.thresholds[[0, -1]].tolist()
    # Most thresholds are at a low recall of few positives: recall must be covered evenly too.
    assert np.diff(np.sort(thin.recall)).max() < 0.1
    assert thin_curve(thin, 100) is thin


def test_counts_at_thresholds_are_those_of_each_threshold() -> None:
    scores, targets = make(2)
    grid = [0.0, 0.1, 0.55, 0.7, 1.0]  # 0.7 is a score too, and rounded down in float32
    counts = counts_at_thresholds(scores, targets, grid)
    for t, thr in enumerate(grid):
        expected = count_decisions(threshold_decisions(scores, thr), targets)
        for got, want in zip(counts, expected, strict=True):
            np.testing.assert_array_equal(got[t], want)
