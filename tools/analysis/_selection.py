"""Choice of images that differ from each other and from those that are labelled."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def _squared_distances(one: Array, other: Array) -> Array:
    """Compute the squared distances of (M, D) and (n, D), shape (M, n)."""
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    return np.maximum(squares, 0)


def farthest_first(features: Array, known: Array, count: int) -> list[int]:
    """Choose one image after another, each the farthest from all known and chosen ones.

    The greedy k-center of Sener and Savarese, "Active learning for convolutional neural networks: a
    core-set approach" (ICLR 2018).

    Args:
        features: Features of the candidates, (M, D).
        known: Features of the labelled images, (n, D). Without any, the first choice is the
            candidate nearest to the mean.
        count: Number of images.

    Returns:
        Indices of the candidates, in the order of the choice.

    Raises:
        ValueError: ``count`` is not 1 to M.
    """
    M = len(features)
    if not 1 <= count <= M:
        raise ValueError(f'count must be 1 to the number of images, {M}, got {count}')
    nearest = np.full(M, np.inf)
    for start in range(0, len(known), 1000):
        part = _squared_distances(features, known[start : start + 1000])
        nearest = np.minimum(nearest, part.min(axis=1))
    if not len(known):
        nearest = -_squared_distances(features, features.mean(axis=0, keepdims=True))[:, 0]
    chosen: list[int] = []
    for _ in range(count):
        best = int(nearest.argmax())
        to_best = _squared_distances(features, features[best : best + 1])[:, 0]
        nearest = np.minimum(nearest, to_best) if chosen or len(known) else to_best
        chosen.append(best)
        nearest[chosen] = -1
    return chosen


def unit_length(features: Array) -> Array:
    """Scale each feature vector to length one, (M, D); vectors of zeros stay."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(lengths > 0, lengths, 1)
