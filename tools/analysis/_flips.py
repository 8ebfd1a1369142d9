"""Labels flipped or taken away at random, and the place of the flips in a ranked list."""

from collections.abc import Sequence

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


def keep_one(targets: NDArray[np.signedinteger], seed: int) -> NDArray[np.signedinteger]:
    """Keep one marked label of each image, drawn uniformly; take the others away.

    Args:
        targets: 1 marked, 0 not, -1 unknown; (N, K).
        seed: Seed of the choice.

    Returns:
        Targets (N, K); images without a label and unknown labels stay as they are.
    """
    rng = np.random.default_rng(seed)
    kept = np.where(targets == 1, 0, targets)
    for image, row in enumerate(targets):
        marked = np.flatnonzero(row == 1)
        if marked.size:
            kept[image, rng.choice(marked)] = 1
    return kept


def locate(flips: Sequence[tuple[str, str]], ranked: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Measure where a complete ranked list has the flips.

    Args:
        flips: Image and class of each flip.
        ranked: Image and class of all pairs, the most suspect one first.

    Returns:
        ``flips`` and ``pairs``, their numbers; percentages of the flips in the first 5 % of the
        pairs (``first_5_percent``) and among as many pairs as there are flips (``first_flips``);
        ``average_precision`` of the list in percent.

    Raises:
        ValueError: There is no flip, or the list lacks one.
    """
    place = {pair: rank for rank, pair in enumerate(ranked, start=1)}
    missing = [pair for pair in flips if pair not in place]
    if missing or not flips:
        raise ValueError(
            f'the list must hold all pairs (--count 0) and there must be flips, got {len(flips)} '
            f'flips, {len(missing)} of them not in the list'
        )
    ranks = np.sort([place[pair] for pair in flips])
    found = np.arange(1, len(ranks) + 1)
    return dict(
        flips=len(flips),
        pairs=len(ranked),
        first_5_percent=float(100 * (ranks <= 0.05 * len(ranked)).mean()),
        first_flips=float(100 * (ranks <= len(flips)).mean()),
        average_precision=float(100 * (found / ranks).mean()),
    )
