"""Choice of the images to label next."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from _label_choice import WAYS, Pool, entropies, rarest_class
from _label_rounds import Trial, fit_linear
from _selection import farthest_first, unit_length

from tests.helpers.run_tool import run_tool
from tests.helpers.small_checkpoint import write_checkpoint


def slow_farthest(features: Any, known: Any, count: int) -> list[int]:
    """The choice by its definition, with loops."""
    taken, chosen = [*known], list[int]()
    for _ in range(count):
        distances = [
            -1 if i in chosen else min(float(((x - y) ** 2).sum()) for y in taken)
            for i, x in enumerate(features)
        ]
        chosen.append(int(np.argmax(distances)))
        taken.append(features[chosen[-1]])
    return chosen


@pytest.mark.parametrize('seed', range(3))
def test_farthest_first_equals_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, known = rng.normal(size=(40, 3)), rng.normal(size=(5, 3))
    assert farthest_first(features, known, 40) == slow_farthest(features, known, 40)
    many = np.concatenate([known, rng.normal(size=(1100, 3)) + 10, known + 0.01])
    assert farthest_first(features, many, 3) == slow_farthest(features, many, 3)


def test_farthest_first_without_labels_begins_at_the_mean() -> None:
    features = np.array([[0.0], [4.0], [5.0], [12.0]])
    assert farthest_first(features, features[:0], 3) == [2, 3, 0]
    assert sorted(farthest_first(np.ones((3, 2)), np.ones((1, 2)), 3)) == [0, 1, 2]
    for count in (0, 5):
        with pytest.raises(ValueError, match=f'1 to .* 4, got {count}'):
            farthest_first(features, features[:0], count)


def test_length_one() -> None:
    found = unit_length(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0]])


def make_pool(seed: int = 0) -> Pool:
    rng = np.random.default_rng(seed)
    scores, counts = rng.random((30, 4)), np.array([50, 20, 5, 0])
    return Pool(scores, unit_length(rng.normal(size=(30, 3))), np.eye(3), counts, rng)


@pytest.mark.parametrize('name', WAYS)
def test_ways_choose_distinct_images(name: str) -> None:
    chosen = WAYS[name](make_pool(), 8)
    assert len(set(chosen)) == 8 and set(chosen) <= set(range(30))


def test_rarest_class_follows_what_it_expects() -> None:
    scores = np.array([[0.1, 0.6], [0.2, 0.9], [0.9, 0.1]])
    pool = Pool(scores, np.eye(3), np.eye(3), np.array([2, 0]), np.random.default_rng(0))
    assert rarest_class(pool, 3) == [1, 0, 2]


def test_entropies_at_the_ends() -> None:
    np.testing.assert_allclose(entropies(np.array([0, 0.5, 1])), [0, np.log(2), 0])


def test_linear_head_learns() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 4))
    weight, offset = fit_linear(features, (features[:, :2] > 0).astype(float))
    assert ((features @ weight + offset > 0) == (features[:, :2] > 0)).mean() > 0.9


def test_trial_learns_from_each_round() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 6)) + 3
    labels = (features @ rng.normal(size=(6, 3)) > 4).astype(float)
    labels[200:, 2] = 0
    trial = Trial(features[:200], labels[:200], features[200:], labels[200:], 1)
    curve = trial.run(WAYS['farthest'], np.arange(10), 30, 2, rng)
    assert len(curve) == 3 and curve[0] < 50 and 85 < min(curve[1:]) <= max(curve) <= 100


def test_tool_lists_what_is_not_labelled(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / 'm.pth')
    (tmp_path / 'photos/more').mkdir(parents=True)
    names = ['a.png', 'b.png', 'c.png', 'more/d.png']
    for level, name in zip((10, 12, 250, 120), names, strict=True):
        image = np.full((48, 80, 3), level, np.uint8)
        image[:, : level // 4] = 255 - level
        cv2.imwrite(str(tmp_path / 'photos' / name), image)
    (tmp_path / 'labels.csv').write_text('path,labels\na.png,cat\n')
    call = ('analysis/select_images.py', str(checkpoint), 'photos', '--out', 'next.txt')
    done = run_tool(tmp_path, *call, '--count', '3', '--labelled', 'labels.csv')
    assert done.returncode == 0, done.stderr
    found = (tmp_path / 'next.txt').read_text().splitlines()
    assert sorted(found) == names[1:] and found[-1] == 'b.png', 'b is like a, which has labels'
    done = run_tool(tmp_path, *call, '--count', '2', '--labelled', 'photos/a.png', 'photos/more')
    assert done.returncode == 0
    assert (tmp_path / 'next.txt').read_text().splitlines() == ['c.png', 'b.png']
    done = run_tool(tmp_path, *call, '--count', '5')
    assert done.returncode == 1 and '1 to the 4 images of photos' in done.stderr
    (tmp_path / 'labels.csv').write_text('path,labels\nz.png,cat\n')
    done = run_tool(tmp_path, *call, '--count', '1', '--labelled', 'labels.csv')
    assert done.returncode == 1 and 'z.png; paths in a table must be' in done.stderr
