"""Class thresholds in the meta data of a checkpoint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .files import read_checkpoint, write_checkpoint
from .fit import check_classes, checkpoint_classes


def store_class_values(
    checkpoint: str | Path, out: str | Path, key: str, value: Any, classes: Sequence[str]
) -> None:
    """Copy a checkpoint with an entry of values per class in ``meta`` and nothing else changed.

    Args:
        checkpoint: File to read.
        out: File to write; may be ``checkpoint``.
        key: Name of the entry.
        value: Numbers, lists and dicts, in the order of ``classes``.
        classes: Class names of the data that the values come from.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        ValueError: It cannot be read, has no or other class names, or the suffixes differ.
    """
    found = read_checkpoint(checkpoint)
    names = checkpoint_classes(found['meta'])
    if names is None:
        raise ValueError(
            f'{checkpoint} names no classes to compare with those of the predictions; set '
            "meta['dataset_meta']['classes']"
        )
    check_classes(names, classes, str(checkpoint), 'the predictions')
    if Path(out).suffix != Path(checkpoint).suffix:
        raise ValueError(
            f'{out} must end in {Path(checkpoint).suffix}, as {checkpoint} does; '
            'tools/publish_model.py changes the format'
        )
    write_checkpoint(out, {**found, 'meta': {**found['meta'], key: value}})


def store_thresholds(
    checkpoint: str | Path, out: str | Path, values: Sequence[float], classes: Sequence[str]
) -> None:
    """Copy a checkpoint with ``meta['thresholds']`` set, by :func:`store_class_values`.

    Args:
        checkpoint: File to read.
        out: File to write; may be ``checkpoint``.
        values: K thresholds of scores that are not calibrated, in the order of ``classes``.
        classes: K class names of the data that the thresholds were tuned on.
    """
    store_class_values(checkpoint, out, 'thresholds', [float(x) for x in values], classes)


def find_thresholds(checkpoint: str | Path) -> list[float] | None:
    """Read the class thresholds of a checkpoint; None where it has none.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        ValueError: It cannot be read, or its thresholds are not valid.
    """
    stored = read_checkpoint(checkpoint)['meta'].get('thresholds')
    if stored is None:
        return None
    try:
        values = np.asarray(stored, np.float64)
    except (TypeError, ValueError):
        values = np.array(np.nan)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(
            f'the thresholds in {checkpoint} must be a list of finite numbers, got {stored!r:.200}'
        )
    return values.tolist()


def read_thresholds(checkpoint: str | Path) -> list[float]:
    """Read the class thresholds of a checkpoint, as :func:`find_thresholds`, or raise.

    Raises:
        ValueError: It has none.
    """
    found = find_thresholds(checkpoint)
    if found is None:
        raise ValueError(
            f'{checkpoint} carries no thresholds; make some with tools/analysis/tune_thresholds.py'
        )
    return found
