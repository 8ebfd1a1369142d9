"""Stratified splits and folds: shares, rare classes, determinism, no influence of names."""

from collections import Counter

import numpy as np
import pytest

from mmmsf.datasets.stratification import stratified_folds, stratified_split


def draw(num_images, num_classes, mean, seed):
    """Labels with frequencies of 1, 1/2, 1/3 and so on; some images have none."""
    rng = np.random.default_rng(seed)
    shares = 1 / np.arange(1, num_classes + 1)
    counts = np.minimum(rng.poisson(mean, num_images), num_classes)
    return [
        rng.choice(num_classes, count, replace=False, p=shares / shares.sum()).tolist()
        for count in counts
    ]


@pytest.mark.parametrize('ratio', [0.1, 0.2, 0.3, 0.5])
@pytest.mark.parametrize('images, classes, mean', [(500, 20, 1.5), (800, 80, 3), (24, 5, 1.2)])
def test_share_of_every_class(ratio, images, classes, mean):
    labels = draw(images, classes, mean, seed=1)
    held = stratified_split(labels, ratio, seed=3)
    assert len(held) == images and abs(sum(held) - ratio * images) <= 1
    counts = Counter(label for own in labels for label in own)
    chosen = Counter(label for own, one in zip(labels, held, strict=True) if one for label in own)
    for label, count in counts.items():
        if count >= 2:
            assert 0 < chosen[label] < count, label
        if count * min(ratio, 1 - ratio) >= 1:
            assert abs(chosen[label] - ratio * count) <= 2, label


def test_random_split_would_fail_this():
    """The bounds of the test above are not met by chance."""
    labels = draw(500, 20, 1.5, seed=1)
    held = np.random.default_rng(3).random(500) < 0.2
    counts = Counter(label for own in labels for label in own)
    chosen = Counter(label for own, one in zip(labels, held, strict=True) if one for label in own)
    assert any(abs(chosen[label] - 0.2 * count) > 2 for label, count in counts.items())


def test_names_and_order_of_the_labels_do_not_matter():
    labels = draw(300, 30, 2, seed=0)
    renamed = [[f'class {(7 * label) % 30}' for label in reversed(own)] for own in labels]
    held = stratified_split(labels, 0.2, seed=5)
    assert held == stratified_split(renamed, 0.2, seed=5)
    assert held == stratified_split([set(own) for own in labels], 0.2, seed=5)
    assert held != stratified_split(labels, 0.2, seed=6)
    assert stratified_split(labels, 0.2) == stratified_split(labels, 0.2, seed=0)
    assert stratified_folds(labels, 3, seed=5) == stratified_folds(renamed, 3, seed=5)


@pytest.mark.parametrize(
    'labels', [[['a'], ['a']], [['a'], ['b']], [[], []], [['a'], ['a', 'b'], ['b', 'c']]]
)
@pytest.mark.parametrize('ratio', [0.01, 0.5, 0.99])
def test_both_sides_get_an_image(labels, ratio):
    assert 0 < sum(stratified_split(labels, ratio)) < len(labels)


def test_rare_classes_are_on_both_sides():
    """Each of the two dogs has a class of its own besides, which must not decide."""
    labels = [['dog', 'x'], ['dog', 'y'], *[['cat']] * 18]
    for seed in range(10):
        held = stratified_split(labels, 0.1, seed)
        assert held[0] != held[1]


@pytest.mark.parametrize('folds', [2, 3, 5])
def test_folds(folds):
    labels = draw(400, 25, 2, seed=2)
    fold_of = stratified_folds(labels, folds, seed=1)
    sizes = Counter(fold_of)
    assert set(sizes) == set(range(folds)) and max(sizes.values()) - min(sizes.values()) <= 1
    counts = Counter(label for own in labels for label in own)
    for label, count in counts.items():
        per_fold = [0] * folds
        for own, fold in zip(labels, fold_of, strict=True):
            per_fold[fold] += label in own
        assert max(per_fold) - min(per_fold) <= 3, (label, per_fold)
        assert sum(number > 0 for number in per_fold) == min(folds, count)


@pytest.mark.parametrize('ratio', [0, 1, -0.5, 2, float('nan')])
def test_ratio_out_of_range(ratio):
    with pytest.raises(ValueError, match='ratio must be between 0 and 1, got'):
        stratified_split([['a'], ['b']], ratio)


def test_too_few_images():
    with pytest.raises(ValueError, match='at least two images, got 1'):
        stratified_split([['a']], 0.5)
    for folds in (1, 3):
        with pytest.raises(ValueError, match=f'num_folds must be 2 to .* 2, got {folds}'):
            stratified_folds([['a'], ['b']], folds)
