"""Ways to choose the images to label next, for label_choice_trial.py."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from _selection import farthest_first
from numpy.typing import NDArray
from scipy.special import xlogy

Array = NDArray[np.floating]
SHORTLIST = 3  # candidates for each image to choose, where a value and distance are combined


@dataclass(frozen=True, eq=False)
class Pool:
    """Hold a model's view of the images: M without labels, n with, K classes, D features.

    Attributes:
        scores: Scores of the images without labels, 0 to 1, (M, K).
        features: Their features, of length one, (M, D).
        known: Features of the labelled images, (n, D).
        counts: Labels of each class so far, (K,).
        rng: Random numbers.
    """

    scores: Array
    features: Array
    known: Array
    counts: NDArray[np.integer]
    rng: np.random.Generator


def entropies(scores: Array) -> Array:
    """Compute the entropy of each decision in nats, of the shape of the scores."""
    return -(xlogy(scores, scores) + xlogy(1 - scores, 1 - scores))


def uncertainty(pool: Pool) -> Array:
    """Sum the entropies of the decisions on each image, (M,)."""
    return entropies(pool.scores).sum(axis=1)


def rarity(pool: Pool) -> Array:
    """Sum the expected labels of each image, each divided by the labels of its class, (M,)."""
    return (pool.scores / (1 + pool.counts)).sum(axis=1)


def rare_uncertainty(pool: Pool) -> Array:
    """Sum the entropies, each divided by the labels of its class, (M,)."""
    return (entropies(pool.scores) / (1 + pool.counts)).sum(axis=1)


def rarest_class(pool: Pool, count: int) -> list[int]:
    """Choose, one after another, the image of the highest score of the class expected least."""
    counts, scores, chosen = pool.counts.astype(float), pool.scores.copy(), list[int]()
    for _ in range(count):
        k = int(counts.argmin())
        i = int(scores[:, k].argmax())
        chosen.append(i)
        counts += scores[i]
        counts[k] += 1e-3  # ends at another class where the scores are near zero
        scores[i] = -1
    return chosen


def highest(value: Callable[[Pool], Array], pool: Pool, count: int) -> list[int]:
    """Choose the images of the highest values."""
    return np.argsort(-value(pool), kind='stable')[:count].tolist()


def highest_apart(value: Callable[[Pool], Array], pool: Pool, count: int) -> list[int]:
    """Choose images far from each other among those of the highest values."""
    first = highest(value, pool, SHORTLIST * count)
    return [first[i] for i in farthest_first(pool.features[first], pool.known, count)]


Way = Callable[[Pool, int], list[int]]
WAYS: dict[str, Way] = {
    'random': lambda pool, count: pool.rng.permutation(len(pool.scores))[:count].tolist(),
    'farthest': lambda pool, count: farthest_first(pool.features, pool.known, count),
    'rarest class': rarest_class,
    'uncertainty': lambda pool, count: highest(uncertainty, pool, count),
    'rarity': lambda pool, count: highest(rarity, pool, count),
    'rare uncertainty': lambda pool, count: highest(rare_uncertainty, pool, count),
    'rarity, apart': lambda pool, count: highest_apart(rarity, pool, count),
    'rare uncertainty, apart': lambda pool, count: highest_apart(rare_uncertainty, pool, count),
}
