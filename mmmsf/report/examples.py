"""The most confident mistakes of a run, as small pictures for the report page."""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmmsf.datasets.transforms import decode_image

from .numbers import RunNumbers

# Takes an RGB image (H, W, 3) uint8 and a class index, gives a picture of the same kind.
Explain = Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]


@dataclass(frozen=True)
class Example:
    """One (image, class) pair.

    Attributes:
        row: of the image in the predictions.
        path: of the image, as in the predictions.
        label: class index.
        score: of that class, 0 to 1.
        picture: ``data:`` URI of the thumbnail; None where the image could not be read.
        attention: the same with the attention of the class; None without ``explain``.
    """

    row: int
    path: str
    label: int
    score: float
    picture: str | None
    attention: str | None


def worst_pairs(
    scores: NDArray[np.float32],
    wanted: NDArray[np.bool_],
    highest: bool,
    count: int,
    per_class: int,
) -> list[tuple[int, int]]:
    """The (row, column) pairs with the highest or lowest scores, not all of one class.

    Args:
        scores: (N, K).
        wanted: (N, K), the pairs to choose from.
        highest: whether to take the highest scores, else the lowest.
        count: pairs to return at most.
        per_class: pairs of one class at most.
    """
    sign = -1 if highest else 1
    best: list[tuple[float, int, int]] = []
    for k in range(scores.shape[1]):
        rows = np.flatnonzero(wanted[:, k])
        keys = sign * scores[rows, k]
        first = np.argsort(keys, kind='stable')[:per_class]
        best += [(float(keys[i]), int(rows[i]), k) for i in first]
    return [(row, k) for _, row, k in sorted(best)[:count]]


def find_image(name: str, root: Path | None) -> Path | None:
    """The file of an image, or None.

    Args:
        name: path in the predictions.
        root: with it, only files below it are taken: ``root/name``, else ``root/<file name>``.
    """
    try:
        if root is None:
            return Path(name) if Path(name).is_file() else None
        for place in (root / name, root / Path(name).name):
            if place.resolve().is_relative_to(root.resolve()) and place.is_file():
                return place
    except (OSError, ValueError):  # names that no file can have
        pass
    return None


def to_thumbnail(image: NDArray[np.uint8], size: int = 150) -> str:
    """A JPEG ``data:`` URI whose longer side has ``size`` pixels, from RGB (H, W, 3)."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    scale = size / max(picture.size)
    picture = picture.resize(
        [max(1, round(side * scale)) for side in picture.size],
        Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS,
    )
    buffer = io.BytesIO()
    picture.save(buffer, 'JPEG', quality=75, optimize=True)
    return f'data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}'


def _example(
    run: RunNumbers, row: int, label: int, root: Path | None, explain: Explain | None
) -> Example:
    name = str(run.predictions.names[row])
    path, picture, attention = find_image(name, root), None, None
    if path is not None:
        try:
            image = decode_image(path.read_bytes(), str(path))[..., ::-1]
            picture = to_thumbnail(image)
        except (ValueError, OSError):  # damaged, too large, no image: a placeholder is shown
            image = None
        if image is not None and explain is not None:
            attention = to_thumbnail(explain(np.ascontiguousarray(image), label))
    return Example(row, name, label, float(run.predictions.scores[row, label]), picture, attention)


def find_mistakes(
    run: RunNumbers, root: Path | None = None, explain: Explain | None = None, count: int = 24
) -> tuple[Sequence[Example], Sequence[Example]]:
    """The surest false positives and the surest misses.

    Args:
        run: the run.
        root: folder of the images, see :func:`find_image`.
        explain: draws the attention of a class over an image.
        count: examples of each kind, at most an eighth of them (at least 2) of one class.

    Returns:
        False positives (target 0, highest score first) that the class's threshold of the best F1
        accepts, and misses (target 1, lowest score first) that it refuses.
    """
    scores, targets = run.predictions.scores, run.predictions.targets
    accepted = scores >= run.thresholds

    def examples(wanted: NDArray[np.bool_], highest: bool) -> list[Example]:
        pairs = worst_pairs(scores, wanted, highest, count, max(2, count // 8))
        return [_example(run, row, label, root, explain) for row, label in pairs]

    return (examples((targets == 0) & accepted, True), examples((targets == 1) & ~accepted, False))
