"""Labels of an image as arrays over the classes."""

from collections.abc import Sequence

import numpy as np


def score_vector(
    num_classes: int,
    positive: Sequence[int],
    ignored: Sequence[int] = (),
) -> np.ndarray:
    """Encode the labels of one image as targets.

    Args:
        num_classes: Number of classes K.
        positive: Indices of the classes in the image.
        ignored: Indices of the classes that are neither positive nor negative.

    Returns:
        float32 (K,): 1 positive, 0 negative, -1 ignored. A class in both lists is positive.
    """
    score = np.zeros(num_classes, dtype=np.float32)
    score[list(ignored)] = -1
    score[list(positive)] = 1
    return score


def area_vector(num_classes: int, labels: Sequence[int], areas: Sequence[float]) -> np.ndarray:
    """Encode the size of the largest instance of each class in one image.

    Args:
        num_classes: Number of classes K.
        labels: Indices of the positive classes.
        areas: Areas in square pixels of the original image, parallel to ``labels``; empty if the
            annotations give no sizes.

    Returns:
        float32 (K,), NaN for absent classes and unknown sizes.
    """
    vector = np.full(num_classes, np.nan, dtype=np.float32)
    if areas:
        vector[list(labels)] = areas
    return vector
