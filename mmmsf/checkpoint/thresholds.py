"""Class thresholds in a checkpoint: store and read them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .files import read_checkpoint, write_checkpoint
from .fit import check_classes, checkpoint_classes


def store_thresholds(
    checkpoint: str | Path, out: str | Path, values: Sequence[float], classes: Sequence[str]
) -> None:
    """Copy a checkpoint with ``meta['thresholds']`` set; all else stays as it is.

    Args:
        checkpoint: the file to read.
        out: the file to write; may be ``checkpoint``.
        values: K thresholds in the order of ``classes``.
        classes: K names of the data that the thresholds were tuned on.

    Raises:
        FileNotFoundError: there is no such checkpoint.
        ValueError: it cannot be read, names no classes or others, or a suffix differs.
    """
    found = read_checkpoint(checkpoint)
    names = checkpoint_classes(found['meta'])
    if names is None:
        raise ValueError(
            f'{checkpoint} names no classes, so nothing shows whether the thresholds '
            "belong to it; set meta['dataset_meta']['classes']"
        )
    check_classes(names, classes, str(checkpoint), 'the predictions')
    if Path(out).suffix != Path(checkpoint).suffix:
        raise ValueError(
            f'{out} must end in {Path(checkpoint).suffix}, as {checkpoint} does; '
            'tools/publish_model.py changes the format'
        )
    meta = {**found['meta'], 'thresholds': [float(value) for value in values]}
    write_checkpoint(out, {**found, 'meta': meta})


def read_thresholds(checkpoint: str | Path) -> list[float]:
    """The class thresholds that a checkpoint carries.

    Raises:
        FileNotFoundError: there is no such checkpoint.
        ValueError: it cannot be read or carries no usable thresholds.
    """
    stored = read_checkpoint(checkpoint)['meta'].get('thresholds')
    if stored is None:
        raise ValueError(
            f'{checkpoint} carries no thresholds; make some with tools/analysis/tune_thresholds.py'
        )
    try:
        values = np.asarray(stored, np.float64)
    except (TypeError, ValueError):
        values = np.array(np.nan)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(
            f'the thresholds in {checkpoint} must be a list of finite numbers, got {stored!r:.200}'
        )
    return values.tolist()
