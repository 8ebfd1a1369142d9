"""The pure metric functions against slow loops, scikit-learn and stated properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from mmmsf.evaluation.functional import (
    areas_to_sizes,
    average_precision,
    check_scores,
    check_scores_targets,
    class_precision_recall,
    count_decisions,
    mean_average_precision,
    size_aware_average_precision,
    threshold_decisions,
    threshold_metrics,
    topk_decisions,
    topk_metrics,
)

SEEDS = st.integers(0, 2**32 - 1)
FLAVOURS = ('area', 'voc11', 'voc11_exact', 'voc')
quick = settings(max_examples=40, deadline=None)


def random_case(
    seed: int,
    num_images: int = 37,
    num_classes: int = 6,
    decimals: int | None = 1,
    ignored: float = 0.1,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N, K) with ties and targets (N, K) of 1, 0 and -1."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((num_images, num_classes)) < 0.3).astype(np.int8)
    scores = 1 / (1 + np.exp(-(rng.normal(size=targets.shape) + targets - 0.5)))
    targets[rng.random(targets.shape) < ignored] = -1
    return (scores if decimals is None else scores.round(decimals)), targets


def curve_points(scores: np.ndarray, targets: np.ndarray) -> list[tuple[float, float]]:
    """Count (recall, precision) at each distinct score, from the highest down."""
    points = []
    total = sum(1 for t in targets if t == 1)
    for bound in sorted(
        {float(s) for s, t in zip(scores, targets, strict=True) if t >= 0}, reverse=True
    ):
        tp = sum(1 for s, t in zip(scores, targets, strict=True) if t == 1 and s >= bound)
        fp = sum(1 for s, t in zip(scores, targets, strict=True) if t == 0 and s >= bound)
        points.append((tp / total, tp / (tp + fp)))
    return points


def slow_ap(scores: np.ndarray, targets: np.ndarray, flavour: str) -> float:
    if not (targets == 1).any():
        return float('nan')
    points = curve_points(scores, targets)
    if flavour.startswith('voc11'):
        levels = [k / 10 - 1e-9 if flavour == 'voc11_exact' else k * 0.1 for k in range(11)]
        return sum(max([p for r, p in points if r >= t], default=0.0) for t in levels) / 11
    area, before = 0.0, 0.0
    for i, (recall, precision) in enumerate(points):
        if flavour == 'voc':
            precision = max(p for _, p in points[i:])
        area += (recall - before) * precision
        before = recall
    return area


@pytest.mark.parametrize('flavour', FLAVOURS)
@pytest.mark.parametrize('decimals', [None, 1, 0])
@pytest.mark.parametrize('seed', range(4))
def test_ap_equals_slow_loop(flavour: str, decimals: int | None, seed: int) -> None:
    scores, targets = random_case(seed, decimals=decimals)
    expected = [slow_ap(scores[:, k], targets[:, k], flavour) for k in range(6)]
    np.testing.assert_allclose(average_precision(scores, targets, flavour), expected, rtol=1e-12)


@pytest.mark.parametrize('decimals', [None, 1])
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_ap_equals_sklearn(decimals: int | None, dtype: type) -> None:
    scores, targets = random_case(0, 500, 20, decimals, ignored=0.05)
    scores = scores.astype(dtype)
    expected = [
        average_precision_score(targets[keep, k], scores[keep, k])
        for k in range(20)
        for keep in [targets[:, k] >= 0]
    ]
    np.testing.assert_allclose(average_precision(scores, targets), expected, rtol=1e-12)


def test_ap_of_equal_scores_is_the_share_of_positives() -> None:
    targets = np.array([[1], [0], [0], [1], [0], [-1]])
    for flavour in FLAVOURS:
        ap = average_precision(np.full((6, 1), 0.3), targets, flavour)
        np.testing.assert_allclose(ap, [2 / 5])


def test_ap_flavours_by_hand() -> None:
    scores = np.array([[0.9], [0.8], [0.7], [0.6]])
    targets = np.array([[1], [0], [1], [1]])  # precision 1, 1/2, 2/3, 3/4
    np.testing.assert_allclose(average_precision(scores, targets), [(1 + 2 / 3 + 3 / 4) / 3])
    np.testing.assert_allclose(average_precision(scores, targets, 'voc'), [(1 + 3 / 4 * 2) / 3])
    np.testing.assert_allclose(
        average_precision(scores, targets, 'voc11'), [(4 * 1 + 7 * 3 / 4) / 11]
    )


@pytest.mark.parametrize(
    ('before', 'devkit_levels', 'exact_levels'), [(3, 3, 4), (6, 6, 7), (7, 7, 8), (4, 5, 5)]
)
def test_voc11_at_a_level(before: int, devkit_levels: int, exact_levels: int) -> None:
    """Of ten positives some before ten negatives: 3 * 0.1 > 0.3 in floats, 4 * 0.1 = 0.4."""
    targets = np.array([[1]] * before + [[0]] * 10 + [[1]] * (10 - before))
    scores = np.arange(20, 0, -1.0)[:, None]
    for flavour, levels in (('voc11', devkit_levels), ('voc11_exact', exact_levels)):
        expected = (levels * 1 + (11 - levels) * 10 / 20) / 11
        np.testing.assert_allclose(average_precision(scores, targets, flavour), [expected])


def test_voc11_when_every_positive_comes_first() -> None:
    """The last level is 1, which the last positive reaches."""
    for positives in (1, 3, 7, 10, 49):
        targets = np.array([[1]] * positives + [[0]])
        scores = np.arange(positives + 1, 0, -1.0)[:, None]
        assert average_precision(scores, targets, 'voc11')[0] == pytest.approx(1)


def test_class_without_positive_is_nan_and_left_out_of_the_mean() -> None:
    scores, targets = random_case(1)
    targets[:, 2] = np.minimum(targets[:, 2], 0)
    targets[:, 4] = -1
    ap = average_precision(scores, targets)
    assert np.isnan(ap).tolist() == [False, False, True, False, True, False]
    np.testing.assert_allclose(mean_average_precision(ap), (ap[0] + ap[1] + ap[3] + ap[5]) / 4)
    assert np.isnan(mean_average_precision(np.full(3, np.nan)))


def test_ignored_targets_act_like_absent_rows() -> None:
    scores, targets = random_case(2)
    for k in range(6):
        keep = targets[:, k] >= 0
        one, kept = (scores[:, [k]], targets[:, [k]]), (scores[keep][:, [k]], targets[keep][:, [k]])
        np.testing.assert_array_equal(average_precision(*one), average_precision(*kept))
        assert threshold_metrics(*one, 0.6) == threshold_metrics(*kept, 0.6)
    as_negative = np.maximum(targets, 0)
    assert (average_precision(scores, as_negative) != average_precision(scores, targets)).any()


@quick
@given(SEEDS, st.sampled_from(FLAVOURS))
def test_row_order_never_matters(seed: int, flavour: str) -> None:
    scores, targets = random_case(seed)
    order = np.random.default_rng(seed).permutation(len(scores))
    np.testing.assert_array_equal(
        average_precision(scores[order], targets[order], flavour),
        average_precision(scores, targets, flavour),
    )


@quick
@given(SEEDS, st.sampled_from(FLAVOURS))
def test_classes_can_be_permuted(seed: int, flavour: str) -> None:
    scores, targets = random_case(seed)
    order = np.random.default_rng(seed).permutation(scores.shape[1])
    np.testing.assert_array_equal(
        average_precision(scores[:, order], targets[:, order], flavour),
        average_precision(scores, targets, flavour)[order],
    )
    unique = random_case(seed, decimals=None)[0]
    for measured in (threshold_metrics, topk_metrics):
        before, after = measured(unique, targets), measured(unique[:, order], targets[:, order])
        np.testing.assert_allclose(list(after.values()), list(before.values()), rtol=1e-12)


@quick
@given(SEEDS, st.sampled_from(FLAVOURS))
def test_ap_sees_only_the_order_of_scores(seed: int, flavour: str) -> None:
    scores, targets = random_case(seed)
    for mapped in (scores * 8 - 3, np.exp(scores), scores**3):
        np.testing.assert_array_equal(
            average_precision(mapped, targets, flavour), average_precision(scores, targets, flavour)
        )


def slow_metrics(decisions: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    precision, recall, sums = [], [], np.zeros(3)
    for k in range(targets.shape[1]):
        correct = predicted = positives = 0
        for decided, target in zip(decisions[:, k], targets[:, k], strict=True):
            if target == -1:
                continue
            correct += int(decided and target == 1)
            predicted += int(decided)
            positives += int(target == 1)
        sums += [correct, predicted, positives]
        if positives:
            precision.append(correct / predicted if predicted else 0.0)
            recall.append(correct / positives)
    cp, cr = sum(precision) / len(precision), sum(recall) / len(recall)
    op, overall_recall = sums[0] / sums[1], sums[0] / sums[2]
    return {
        'CP': cp,
        'CR': cr,
        'CF1': 2 * cp * cr / (cp + cr),
        'OP': op,
        'OR': overall_recall,
        'OF1': 2 * op * overall_recall / (op + overall_recall),
    }


def assert_metrics(actual: dict[str, float], expected: dict[str, float]) -> None:
    assert list(actual) == list(expected)
    np.testing.assert_allclose(list(actual.values()), list(expected.values()), rtol=1e-12)


@pytest.mark.parametrize('seed', range(4))
def test_threshold_metrics_equal_slow_loop(seed: int) -> None:
    scores, targets = random_case(seed)
    targets[:, 1] = np.minimum(targets[:, 1], 0)  # no positive
    scores[:, 3] = 0.1  # never predicted
    assert_metrics(threshold_metrics(scores, targets, 0.5), slow_metrics(scores >= 0.5, targets))
    per_class = np.array([0.3, 0.4, 0.5, 0.6, 0.7, 0.2])
    decisions = np.array([[row[k] >= per_class[k] for k in range(6)] for row in scores])
    assert_metrics(threshold_metrics(scores, targets, per_class), slow_metrics(decisions, targets))


def test_class_f1_is_the_harmonic_mean_of_the_class_means() -> None:
    scores = np.array([[0.9, 0.9], [0.1, 0.9], [0.1, 0.9]])
    targets = np.array([[1, 1], [1, 0], [0, 0]])
    metrics = threshold_metrics(scores, targets)
    cp, cr = (1 + 1 / 3) / 2, (1 / 2 + 1) / 2
    np.testing.assert_allclose(metrics['CF1'], 2 * cp * cr / (cp + cr))
    macro = (2 / 3 + 1 / 2) / 2  # mean of the classes' F1: another number
    assert abs(metrics['CF1'] - macro) > 0.05


def test_score_equal_to_the_threshold_is_positive() -> None:
    scores = np.array([[0.3, 0.7]], dtype=np.float32)
    assert threshold_decisions(scores, 0.3).tolist() == [[True, True]]
    assert threshold_decisions(scores, 0.7).tolist() == [[False, True]]  # float32(0.7) < 0.7
    assert threshold_decisions(scores, [0.3, 0.70001]).tolist() == [[True, False]]


def test_nothing_predicted_and_nothing_positive() -> None:
    nothing_predicted = threshold_metrics(np.zeros((2, 2)), np.eye(2))
    assert set(nothing_predicted.values()) == {0.0}
    nothing_positive = threshold_metrics(np.ones((2, 2)), np.zeros((2, 2)))
    assert nothing_positive['OP'] == 0
    assert all(np.isnan(nothing_positive[key]) for key in ('CP', 'CR', 'CF1', 'OR', 'OF1'))
    counts = count_decisions(np.ones((2, 2), dtype=bool), np.array([[0, 1], [0, -1]]))
    precision, recall = class_precision_recall(counts)
    np.testing.assert_array_equal(precision, [0, 1])
    np.testing.assert_array_equal(recall, [np.nan, 1])


@pytest.mark.parametrize('thr', [None, 0.5])
@pytest.mark.parametrize('k', [1, 3, 6, 9])
@pytest.mark.parametrize('seed', range(3))
def test_topk_equals_slow_loop(seed: int, k: int, thr: float | None) -> None:
    scores, targets = random_case(seed)  # one decimal: many ties inside a row
    decisions = np.zeros(scores.shape, dtype=bool)
    for row in range(len(scores)):
        ranked = sorted(range(6), key=lambda c: (-scores[row, c], c))
        for c in ranked[:k]:
            decisions[row, c] = thr is None or scores[row, c] >= thr
    np.testing.assert_array_equal(topk_decisions(scores, k, thr), decisions)
    assert_metrics(topk_metrics(scores, targets, k, thr), slow_metrics(decisions, targets))


def test_areas_to_sizes_uses_strict_bounds() -> None:
    areas = np.array([[0, 1023.9, 1024], [9215.9, 9216, np.nan]])
    assert areas_to_sizes(areas).tolist() == [[1, 1, 2], [2, 3, 0]]
    assert areas_to_sizes(areas, (10, 1024)).tolist() == [[1, 2, 3], [3, 3, 0]]
    assert areas_to_sizes(areas).dtype == np.int8


@pytest.mark.parametrize('flavour', FLAVOURS)
@pytest.mark.parametrize('seed', range(3))
def test_size_aware_ap_equals_ap_of_chosen_rows(seed: int, flavour: str) -> None:
    scores, targets = random_case(seed, num_images=60)
    sizes = np.random.default_rng(seed).integers(0, 4, scores.shape).astype(np.int8)
    sizes[:, 5] = np.minimum(sizes[:, 5], 2)  # no large positive of class 5
    ap, by_size = size_aware_average_precision(scores, targets, sizes, flavour)
    np.testing.assert_array_equal(ap, average_precision(scores, targets, flavour))
    for bucket in (1, 2, 3):
        for k in range(6):
            keep = [
                i
                for i in range(60)
                if targets[i, k] == 0 or (targets[i, k] == 1 and sizes[i, k] == bucket)
            ]
            expected = slow_ap(scores[keep, k], targets[keep, k], flavour)
            np.testing.assert_allclose(by_size[bucket - 1, k], expected, rtol=1e-12)
    assert np.isnan(by_size[2, 5])


def test_inputs_stay_as_they_are() -> None:
    scores, targets = random_case(3)
    sizes = np.ones(scores.shape, dtype=np.int8)
    copies = scores.copy(), targets.copy(), sizes.copy()
    size_aware_average_precision(scores, targets, sizes)
    threshold_metrics(scores, targets)
    topk_metrics(scores, targets, 3, 0.5)
    for now, before in zip((scores, targets, sizes), copies, strict=True):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_score_not_finite_names_row_and_image(value: float) -> None:
    scores, targets = random_case(4, num_images=3)
    scores[1, 2] = value
    with pytest.raises(ValueError, match=rf'{value} for class 2 in row 1 \(b\.jpg\)'):
        average_precision(scores, targets, names=['a.jpg', 'b.jpg', 'c.jpg'])
    with pytest.raises(ValueError, match=r'row 1$'):
        threshold_metrics(scores, targets)


def test_bad_inputs_are_refused() -> None:
    scores, targets = random_case(5, num_images=3)
    with pytest.raises(ValueError, match=r'shape of scores, got \(3, 5\) for scores \(3, 6\)'):
        average_precision(scores, targets[:, :5])
    with pytest.raises(ValueError, match=r'\(N, K\), got shape \(3,\)'):
        check_scores(scores[:, 0])
    with pytest.raises(ValueError, match='names must have one entry per row'):
        average_precision(scores, targets, names=['a'])
    for value in (2.0, 0.5, np.nan):
        wrong = targets.astype(float)
        wrong[2, 1] = value
        with pytest.raises(ValueError, match=f'-1, 0 or 1, got {value} in row 2'):
            average_precision(scores, wrong)
    with pytest.raises(ValueError, match=r"flavour must be one of .*'mean'"):
        average_precision(scores, targets, 'mean')
    with pytest.raises(ValueError, match='k must be at least 1, got 0'):
        topk_metrics(scores, targets, 0)
    with pytest.raises(ValueError, match='thr must be a number or have shape'):
        threshold_metrics(scores, targets, [0.5, 0.5])
    with pytest.raises(ValueError, match='thr must be finite'):
        threshold_metrics(scores, targets, float('nan'))
    with pytest.raises(ValueError, match='areas must be >= 0'):
        areas_to_sizes([[-1.0]])
    with pytest.raises(ValueError, match='0 < a < b'):
        areas_to_sizes([[1.0]], (9216, 1024))
    with pytest.raises(ValueError, match='sizes must be 0, 1, 2 or 3, got 4'):
        size_aware_average_precision(scores, targets, np.full(scores.shape, 4))
    with pytest.raises(ValueError, match='sizes must have the shape'):
        size_aware_average_precision(scores, targets, np.ones((2, 2)))


def test_boolean_targets_and_integer_scores_are_accepted() -> None:
    scores, targets = check_scores_targets([[1, 0], [2, 3]], [[True, False], [False, True]])
    assert scores.dtype == np.float64 and targets.dtype == np.int8
