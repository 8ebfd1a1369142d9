import random

import numpy as np
import pytest
import torch

from mmmsf.engine.resume.seeding import SAMPLE, STEP, seed_generators


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_a_key_gives_the_same_numbers_whatever_was_drawn_before() -> None:
    seed_generators(STEP, 3, 0, 7)
    first = draws()
    draws()
    seed_generators(STEP, 3, 0, 7)
    assert draws() == first


@pytest.mark.parametrize(
    'other',
    [(SAMPLE, 3, 0, 7), (STEP, 4, 0, 7), (STEP, 3, 1, 7), (STEP, 3, 0, 8), (STEP, 3, 0, 7 + 2**40)],
)
def test_another_key_changes_every_generator(other: tuple[int, ...]) -> None:
    seed_generators(STEP, 3, 0, 7)
    first = draws()
    seed_generators(*other)
    assert all(one != two for one, two in zip(first, draws(), strict=True))


def test_neighbouring_keys_are_unrelated() -> None:
    """The first numbers of a thousand steps look uniform: mean, and correlation with the next."""
    numbers = []
    for step in range(1000):
        seed_generators(STEP, step, 0, 0)
        numbers.append(draws())
    columns = np.array(numbers).T
    assert np.abs(columns.mean(1) - 0.5).max() < 0.05  # 5 standard errors
    assert np.abs(columns.var(1) - 1 / 12).max() < 0.012
    for column in columns:
        assert abs(np.corrcoef(column[:-1], column[1:])[0, 1]) < 0.16
