"""Random predictions that are better than chance."""

from pathlib import Path

import numpy as np
from PIL import Image

from mmmsf.evaluation import Predictions
from tests.helpers.small_checkpoint import CLASSES


def make_predictions(path: Path, seed: int = 0, classes: tuple[str, ...] = CLASSES) -> Predictions:
    """Save predictions of 60 images with ignored targets."""
    rng = np.random.default_rng(seed)
    targets = rng.choice([-1, 0, 1], (60, len(classes)), p=[0.1, 0.6, 0.3]).astype(np.int8)
    scores = (0.5 + 0.3 * rng.random(targets.shape) + 0.1 * targets).astype(np.float32)
    data = Predictions(
        np.array([f'{i}.jpg' for i in range(60)]),
        np.array(classes),
        scores,
        targets,
        np.zeros_like(targets),
    )
    data.save(path)
    return data


def make_mixed(
    classes: tuple[str, ...] = ('cat', 'dog', 'owl'),
    num: int = 40,
    seed: int = 0,
    folder: Path | None = None,
) -> Predictions:
    """Make predictions with sizes and two ignored targets, and images in ``folder``."""
    rng = np.random.default_rng(seed)
    targets = (np.random.default_rng(7).random((num, len(classes))) < 0.4).astype(np.int8)
    targets[0, :2] = -1
    scores = np.clip(0.5 * targets + 0.6 * rng.random(targets.shape), 0, 1).astype(np.float32)
    scores[0, :2] = 0.99  # ignored, and so no mistake
    names = [f'{i}.png' for i in range(num)]
    if folder is not None:
        for i, name in enumerate(names):
            Image.new('RGB', (30, 20), (i, 100, 0)).save(folder / name)
    sizes = np.where(targets == 1, 1 + np.arange(num)[:, None] % 3, 0).astype(np.int8)
    return Predictions(np.array(names), np.array(classes), scores, targets, sizes)
