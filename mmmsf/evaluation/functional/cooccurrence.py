"""Co-occurrence of labels."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .validation import check_targets


def cooccurrence(decisions: ArrayLike, targets: ArrayLike) -> NDArray[np.float64]:
    """Compute the share of the images with one class that have another class too.

    Entry (i, j) is P(j | i): of the images that have i and do not ignore j, the share that have
    j. Pass ``targets == 1`` for the ground truth and hard decisions for a model; both then
    leave out the same ignored pairs.

    Args:
        decisions: Shape (N, K), True where the image has the class.
        targets: Shape (N, K): 1, 0, or -1 for a class that is ignored in that image.

    Returns:
        Shape (K, K), 0 to 1, diagonal 1; NaN where no image has i and a known j.

    Raises:
        ValueError: Shapes differ, or a target is not -1, 0 or 1.
    """
    decided = np.asarray(decisions, dtype=bool)
    valid = check_targets(targets, decided.shape) >= 0
    # float64 counts exactly, and its matrix product is fast.
    has, known = (decided & valid).astype(np.float64), valid.astype(np.float64)
    with np.errstate(invalid='ignore'):
        return (has.T @ has) / (has.T @ known)
