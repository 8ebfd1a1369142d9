"""Paired bootstrap over images: dependence of a difference between models on the test set.

A resample of N images is a column of N weights, the number of times each image was drawn.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from _weighted_metrics import Weights, weighted_metrics
from numpy.typing import ArrayLike, NDArray

from mmmsf.evaluation.functional.validation import FloatArray

CHUNK = 64  # resamples at a time: the (N, 64) weights of one class fit into the cache


class Difference(NamedTuple):
    """Model B minus model A.

    Attributes:
        value: Difference on the images themselves.
        low: Lower bound of the interval.
        high: Upper bound.
        share_below: Share of the resamples in which A < B.
    """

    value: float
    low: float
    high: float
    share_below: float


def resample_weights(num_images: int, num_resamples: int, rng: np.random.Generator) -> Weights:
    """Draw how often each image is in each resample, (N, R); every column sums to N."""
    columns = [
        np.bincount(rng.integers(num_images, size=num_images), minlength=num_images)
        for _ in range(num_resamples)
    ]
    return np.stack(columns, axis=1).astype(np.int32)


def _chunks(num_images: int, num_resamples: int, seed: int) -> Iterator[Weights]:
    rng = np.random.default_rng(seed)
    for start in range(0, num_resamples, CHUNK):
        yield resample_weights(num_images, min(CHUNK, num_resamples - start), rng)


def bootstrap_metrics(
    runs: Sequence[ArrayLike],
    targets: ArrayLike,
    sizes: ArrayLike | None = None,
    num_resamples: int = 1000,
    seed: int = 0,
    parts: Mapping[str, NDArray[np.integer]] | None = None,
    decisions: Sequence[NDArray] | None = None,
) -> list[dict[str, FloatArray]]:
    """Compute the metrics of several models on the same resamples of the images.

    Args:
        runs: Scores of each model, (N, K) each.
        targets, sizes: Shared by the models, see :func:`weighted_average_precision`.
        num_resamples: Number of resamples R.
        seed: Seed of the draws.
        parts: Parts of the classes with a mAP of their own, see :func:`weighted_metrics`.
        decisions: Decisions (N, K) of each model for CF1 and OF1, or shares of several
            decisions, in place of those at 0.5.

    Returns:
        For each model, metric name -> shape (R + 1,): entry 0 on the images themselves, the others
        on the resamples.
    """
    chunks: list[list[dict[str, FloatArray]]] = [[] for _ in runs]
    num_images = len(np.asarray(targets))
    every_image_once = np.ones((num_images, 1), dtype=np.int32)
    for weights in chain([every_image_once], _chunks(num_images, num_resamples, seed)):
        for own, scores, decided in zip(chunks, runs, decisions or [None] * len(runs), strict=True):
            found = weighted_metrics(scores, targets, sizes, weights, parts=parts, decided=decided)
            own.append(found)
    return [
        {name: np.concatenate([chunk[name] for chunk in own]) for name in own[0]} for own in chunks
    ]


def paired_difference(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Difference:
    """Compute how much higher model B is than model A, with a percentile interval.

    Args:
        a, b: A metric of each, (R + 1,), as returned by :func:`bootstrap_metrics`. Resamples
            where it is undefined are left out.
        level: Share of the resamples inside the interval, between 0 and 1.

    Raises:
        ValueError: ``level`` is out of range.
    """
    if not 0 < level < 1:
        raise ValueError(f'level must be between 0 and 1, got {level}')
    difference = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    drawn = difference[1:][~np.isnan(difference[1:])]
    if not drawn.size:
        return Difference(float(difference[0]), *[float('nan')] * 3)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Difference(float(difference[0]), float(low), float(high), float((drawn > 0).mean()))
