"""Labels flipped at random, and the place of the flips in a ranked list."""

import numpy as np
from numpy.typing import NDArray


def flip_labels(
    targets: NDArray[np.signedinteger], share: float, seed: int
) -> NDArray[np.signedinteger]:
    """Take away a share of the marked labels and mark as many false ones of the same classes.

    Both are drawn uniformly: the first from all marked pairs of image and class, the second in each
    class from the images without it. Unknown labels stay unknown.

    Args:
        targets: 1 marked, 0 not, -1 unknown; (N, K).
        share: Share of the marked labels.
        seed: Seed of the choice.

    Returns:
        Targets (N, K) with the flips.
    """
    rng = np.random.default_rng(seed)
    flipped = targets.copy()
    marked = np.argwhere(targets == 1)
    removed = marked[rng.permutation(len(marked))[: round(share * len(marked))]]
    flipped[tuple(removed.T)] = 0
    for k, count in enumerate(np.bincount(removed[:, 1], minlength=targets.shape[1])):
        absent = np.flatnonzero(targets[:, k] == 0)
        flipped[rng.permutation(absent)[:count], k] = 1
    return flipped
