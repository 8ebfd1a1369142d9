"""Most confident mistakes of a run, as thumbnails for the report page."""

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

# Maps an RGB image (H, W, 3) uint8 and a class index to a picture of the same form.
Explain = Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]


@dataclass(frozen=True)
class Example:
    """Hold one (image, class) pair.

    Attributes:
        row: Row of the image in the predictions.
        path: Path of the image in the predictions.
        label: Class index.
        score: Score of that class, 0 to 1.
        picture: ``data:`` URI of the thumbnail; None where the image could not be read.
        attention: ``data:`` URI with the attention of the class; None without ``explain``.
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
    """Choose the pairs with the highest or lowest scores, with a limit for each class.

    Args:
        scores: (N, K).
        wanted: (N, K), True for the candidates.
        highest: Take the highest scores, else the lowest.
        count: Limit of the pairs.
        per_class: Limit of the pairs of one class.

    Returns:
        (row, column) of each pair, most extreme score first.
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
    """Find the file of an image.

    Args:
        name: Path in the predictions.
        root: Folder that must contain the file: ``root/name``, else ``root/<file name>``. None
            allows any file.

    Returns:
        The file, None where there is none.
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
    """Encode RGB (H, W, 3) as a JPEG ``data:`` URI whose longer side has ``size`` pixels."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    scale = size / max(picture.size)
    picture = picture.resize(
        [max(1, round(side * scale)) for side in picture.size],
        Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS,
    )
    buffer = io.BytesIO()
    picture.save(buffer, 'JPEG', quality=75, optimize=True)
    return f'data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}'


def make_example(
    name: str, row: int, label: int, score: float, root: Path | None, explain: Explain | None
) -> Example:
    """Read one image and draw its thumbnails; an image that cannot be read has none.

    Args:
        name: Path of the image, see :func:`find_image`.
        row: Row of the image in the predictions.
        label: Class index.
        score: Score of that class.
        root: Folder of the images, see :func:`find_image`.
        explain: Function that draws the attention of a class over an image.
    """
    path, picture, attention = find_image(name, root), None, None
    if path is not None:
        try:
            image = decode_image(path.read_bytes(), str(path))[..., ::-1]
            picture = to_thumbnail(image)
        except (ValueError, OSError):  # corrupt, too large or no image: a placeholder is shown
            image = None
        if image is not None and explain is not None:
            attention = to_thumbnail(explain(np.ascontiguousarray(image), label))
    return Example(row, name, label, score, picture, attention)


def find_mistakes(
    run: RunNumbers, root: Path | None = None, explain: Explain | None = None, count: int = 24
) -> tuple[Sequence[Example], Sequence[Example]]:
    """Find the most confident false positives and misses.

    Args:
        run: Numbers of the run.
        root: Folder of the images, see :func:`find_image`.
        explain: Function that draws the attention of a class over an image.
        count: Limit of each kind; a class has at most an eighth of them (but up to 2).

    Returns:
        False positives (target 0, highest score first) at or above the class's threshold of the
        best F1, and misses (target 1, lowest score first) below it.
    """
    scores, targets = run.predictions.scores, run.predictions.targets
    accepted = run.decisions

    def examples(wanted: NDArray[np.bool_], highest: bool) -> list[Example]:
        pairs = worst_pairs(scores, wanted, highest, count, max(2, count // 8))
        names = run.predictions.names
        return [
            make_example(str(names[i]), i, k, float(scores[i, k]), root, explain) for i, k in pairs
        ]

    return (examples((targets == 0) & accepted, True), examples((targets == 1) & ~accepted, False))
