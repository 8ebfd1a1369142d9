"""Labels and images of both sides, read and checked."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _check import ImageFacts, SplitLabels, inspect_images

from .findings import unreadable
from .labels import occurring, read_labels, voc_names
from .sources import Source
from .splits import check_split, voc_split, write_split

VAL_RATIO = 0.2


@dataclass(frozen=True)
class Found:
    """Hold what was found.

    Attributes:
        data: Arguments that the datasets of both sides share.
        sides: Further arguments of the datasets ``train`` and ``val``.
        labels: Labels of both sides.
        facts: Facts of all images by path.
    """

    data: dict[str, Any]
    sides: dict[str, dict[str, Any]]
    labels: list[SplitLabels]
    facts: dict[str, ImageFacts]

    @property
    def counts(self) -> list[int]:
        """Numbers of images of both sides."""
        return [len(split.paths) for split in self.labels]


def _divide(
    source: Source, val: Source | None, data: dict[str, Any], val_ratio: float | None, out: Path
) -> tuple[dict[str, dict[str, Any]], SplitLabels | None]:
    """Return the arguments of each side, and the labels of a file that was split.

    With ``val``, arguments in which the two sets differ are moved out of ``data``.
    """
    if val is not None:
        mine, theirs = source.arguments, val.arguments
        differ = [key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key)]
        own = {key: data.pop(key) for key in differ if key in data}
        other = {key: theirs[key] for key in differ if key in theirs}
        return dict(train={**own, **source.whole}, val={**other, **val.whole}), None
    ratio = val_ratio or VAL_RATIO
    if source.kind == 'voc':
        return voc_split(source.has_lists and val_ratio is None, ratio, out), None
    whole = read_labels('all', {**data, **source.whole})
    return write_split(source.path, source.kind, whole, data, ratio, out), whole


def split_data(
    source: Source,
    val: Source | None,
    options: dict[str, Any],
    val_ratio: float | None,
    out: Path,
) -> tuple[dict[str, Any], dict[str, dict[str, Any]], list[SplitLabels]]:
    """Read the labels, and split them unless that is done.

    Args:
        source: All images, or those to train.
        val: Images to validate, or None to split some off.
        options: Further arguments of the datasets.
        val_ratio: Share of the images to split off; None for the default, or the lists of a VOC
            folder.
        out: Config; files of the split lie beside it.

    Returns:
        Arguments that the datasets share, those of each side, and the labels of both sides.

    Raises:
        OSError, ValueError: The labels cannot be read or split; names the file.
    """
    if val is not None and val.kind != source.kind:
        raise ValueError(f'--val must be a {source.kind} as DATA is, got a {val.kind}: {val.path}')
    data = {**source.arguments, **options}
    if isinstance(data.get('names'), str):  # a file of class names
        data['names'] = str(Path(data['names']).resolve())
    given = 'classes' in data
    if source.kind == 'voc' and not given:
        data['classes'] = voc_names(source, data.get('rename_classes', {}))
    sides, whole = _divide(source, val, data, val_ratio, out)
    read = [whole] if whole is not None else []
    if not read and not given:  # with --val, a class that only val has cannot be learned
        used = sides if val is None else {'train': sides['train']}
        read = [read_labels(side, {**data, **own}) for side, own in used.items()]
    if not given:
        data['classes'] = occurring(*read)
        if absent := [name for name in read[0].classes if name not in data['classes']]:
            print(f'classes without any label, left out: {", ".join(absent)}')
    labels = [read_labels(side, {**data, **own}) for side, own in sides.items()]
    if whole is not None:
        check_split(whole, labels)
    return data, sides, labels


def open_images(labels: list[SplitLabels]) -> dict[str, ImageFacts]:
    """Open all images once; refuse those that cannot be read."""
    paths = [path for split in labels for path in split.paths]
    facts = inspect_images(paths, min(os.cpu_count() or 1, 8) if len(paths) > 100 else 0)
    if faults := unreadable(facts):
        shown = '\n  '.join(faults[:20])
        raise ValueError(
            f'{len(faults)} images are missing or cannot be read; replace them, or take them out '
            f'of the annotations:\n  {shown}'
        )
    return facts
