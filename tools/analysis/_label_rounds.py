"""Rounds of labelling, with a linear head fitted and tested after each."""

import numpy as np
import torch
from _label_choice import Array, Pool, Way
from _selection import unit_length
from numpy.typing import NDArray
from scipy.special import expit
from torch.nn.functional import binary_cross_entropy_with_logits

from mmmsf.evaluation.functional import average_precision

COMPONENTS = 256  # principal components of the features that the head reads
DECAY, STEPS = 0.1, 40  # chosen on random parts of coco_small's training images, 200 and 700


def fit_linear(features: Array, targets: Array) -> tuple[Array, Array]:
    """Fit a linear head: logistic regression of each class with weight decay.

    Args:
        features: (n, D).
        targets: 1 or 0, (n, K).

    Returns:
        Weights (D, K) and offsets (K,).
    """
    x, y = (torch.tensor(array, dtype=torch.float32) for array in (features, targets))
    share = (y.sum(0) + 0.5) / (len(y) + 1)
    weight = torch.zeros(x.shape[1], y.shape[1], requires_grad=True)
    offset = torch.logit(share).requires_grad_(True)
    fit = torch.optim.LBFGS(
        [weight, offset], max_iter=STEPS, history_size=10, line_search_fn='strong_wolfe'
    )

    def loss() -> torch.Tensor:
        fit.zero_grad()
        logits = x @ weight + offset
        misfit = binary_cross_entropy_with_logits(logits, y, reduction='sum') / len(y)
        total = misfit + DECAY / 2 * (weight**2).sum()
        total.backward()
        return total

    fit.step(loss)
    return weight.detach().numpy(), offset.detach().numpy()


class Trial:
    """Choose images in rounds and test a linear head after each.

    Args:
        features: Features of the images to choose from, (N, D).
        labels: Their labels, 1 or 0, (N, K).
        tested: Features of the test images.
        truth: Their labels.
        min_positives: A class with fewer positive test images is left out of the mean AP.
    """

    def __init__(
        self, features: Array, labels: Array, tested: Array, truth: Array, min_positives: int
    ) -> None:
        self.units, self.labels = unit_length(features), labels
        mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
        scaled = (features - mean) / deviation
        axes = np.linalg.svd(scaled, full_matrices=False)[2][:COMPONENTS].T
        self.features, self.tested = scaled @ axes, (tested - mean) / deviation @ axes
        self.truth, self.counted = truth, (truth == 1).sum(axis=0) >= min_positives

    def measure(self, head: tuple[Array, Array]) -> float:
        """Compute the mean AP of a head in percent."""
        logits = (self.tested @ head[0] + head[1])[:, self.counted]
        return float(100 * np.mean(average_precision(logits, self.truth[:, self.counted])))

    def run(
        self,
        way: Way,
        start: NDArray[np.integer],
        count: int,
        rounds: int,
        rng: np.random.Generator,
    ) -> list[float]:
        """Return the mean AP at the start and after each round.

        Args:
            way: Way to choose.
            start: Images that are labelled at the start.
            count: Images that a round adds.
            rounds: Number of rounds.
            rng: Random numbers of the choice.
        """
        known = start
        head = fit_linear(self.features[known], self.labels[known])
        curve = [self.measure(head)]
        for _ in range(rounds):
            rest = np.setdiff1d(np.arange(len(self.features)), known)
            scores = expit(self.features[rest] @ head[0] + head[1])
            counts = self.labels[known].sum(axis=0).astype(int)
            pool = Pool(scores, self.units[rest], self.units[known], counts, rng)
            known = np.concatenate([known, rest[way(pool, count)]])
            head = fit_linear(self.features[known], self.labels[known])
            curve.append(self.measure(head))
        return curve
