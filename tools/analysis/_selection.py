"""Choice of the images to label next: uncertainty, rare classes and diversity."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

SHORTLIST = 3  # candidates for each image to choose, where a value and diversity are combined


@dataclass(frozen=True, eq=False)
class Pool:
    """Hold a model's view of the images; M without labels, n with, K classes, D features.

    Attributes:
        scores: Scores of the images without labels, 0 to 1, (M, K).
        features: Features of the images without labels, (M, D).
        known: Features of the labelled images, (n, D).
        counts: Labels of each class so far, (K,).
    """

    scores: NDArray[np.floating]
    features: NDArray[np.floating]
    known: NDArray[np.floating]
    counts: NDArray[np.integer]


def entropy(pool: Pool) -> NDArray[np.floating]:
    """Sum the entropies of the K decisions on each image, in nats, (M,)."""
    p = pool.scores
    return -(xlogy(p, p) + xlogy(1 - p, 1 - p)).sum(axis=1)


def rarity(pool: Pool) -> NDArray[np.floating]:
    """Sum the expected labels of each image, each divided by the labels of its class, (M,)."""
    return (pool.scores / (1 + pool.counts)).sum(axis=1)


def rare_entropy(pool: Pool) -> NDArray[np.floating]:
    """Sum the entropies, each divided by the labels of its class, (M,)."""
    p = pool.scores
    return -((xlogy(p, p) + xlogy(1 - p, 1 - p)) / (1 + pool.counts)).sum(axis=1)


def _squared_distances(
    one: NDArray[np.floating], other: NDArray[np.floating]
) -> NDArray[np.floating]:
    products = one @ other.T
    return np.maximum((one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * products, 0)


def farthest_first(
    features: NDArray[np.floating], known: NDArray[np.floating], count: int
) -> list[int]:
    """Choose one image after another, each the farthest from all known and chosen ones.

    Args:
        features: Candidates, (M, D).
        known: Images that are labelled, (n, D), n at least 1.
        count: Number of images.

    Returns:
        Indices of the candidates, in the order of the choice.
    """
    nearest = _squared_distances(features, known).min(axis=1)
    chosen: list[int] = []
    for _ in range(min(count, len(features))):
        best = int(nearest.argmax())
        chosen.append(best)
        new = _squared_distances(features, features[best : best + 1])[:, 0]
        nearest = np.minimum(nearest, new)
        nearest[chosen] = -1
    return chosen


def highest(value: Callable[[Pool], NDArray[np.floating]], pool: Pool, count: int) -> list[int]:
    """Choose the images of the highest values."""
    return np.argsort(-value(pool), kind='stable')[:count].tolist()


def highest_apart(
    value: Callable[[Pool], NDArray[np.floating]], pool: Pool, count: int
) -> list[int]:
    """Choose images far from each other and the known ones among those of the highest values."""
    first = highest(value, pool, SHORTLIST * count)
    return [first[i] for i in farthest_first(pool.features[first], pool.known, count)]
