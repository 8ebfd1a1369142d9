import numpy as np
import pytest

from mmmsf.evaluation.functional.cooccurrence import cooccurrence


def test_against_loops() -> None:
    rng = np.random.default_rng(0)
    decisions = rng.random((40, 5)) < 0.4
    targets = rng.integers(-1, 2, (40, 5))
    got = cooccurrence(decisions, targets)
    for i in range(5):
        for j in range(5):
            both = known = 0
            for n in range(40):
                if decisions[n, i] and targets[n, i] >= 0 and targets[n, j] >= 0:
                    known += 1
                    both += bool(decisions[n, j])
            assert got[i, j] == pytest.approx(both / known)


def test_a_class_that_never_comes_is_nan() -> None:
    got = cooccurrence([[True, False], [True, False]], [[1, 0], [1, 0]])
    np.testing.assert_array_equal(got, [[1, 0], [np.nan, np.nan]])


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match='targets must have the shape'):
        cooccurrence(np.zeros((2, 3)), np.zeros((3, 2)))
