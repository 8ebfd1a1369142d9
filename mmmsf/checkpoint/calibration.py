"""Calibration of the scores in the meta data of a checkpoint."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmmsf.models.heads.calibration import Calibration

from .thresholds import store_class_values

KEY = 'calibration'


def store_calibration(
    checkpoint: str | Path, out: str | Path, calibration: Calibration, classes: Sequence[str]
) -> None:
    """Copy a checkpoint with ``meta['calibration']`` set and nothing else changed.

    Thresholds in the checkpoint stay those of the scores before calibration; whatever loads both
    converts them.

    Args:
        checkpoint: File to read.
        out: File to write; may be ``checkpoint``.
        calibration: Calibration of K classes.
        classes: K class names of the data that it was fitted on.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        ValueError: It cannot be read, has no or other class names, or the suffixes differ.
    """
    value = {key: numbers.tolist() for key, numbers in calibration._asdict().items()}
    store_class_values(checkpoint, out, KEY, value, classes)


def calibration_of(
    meta: Mapping[str, Any], num_classes: int, source: str | Path, wanted: bool | None = None
) -> Calibration | None:
    """Return the calibration in the meta data of a checkpoint.

    Args:
        meta: Meta data.
        num_classes: Number of classes K of the model.
        source: Checkpoint, for the message.
        wanted: True requires one, False leaves it, None takes it where there is one.

    Raises:
        ValueError: There is none and it is required, or it is not valid.
    """
    stored = None if wanted is False else meta.get(KEY)
    if stored is None:
        if wanted:
            raise ValueError(
                f'{source} carries no calibration; make one with tools/analysis/calibrate.py'
            )
        return None
    try:
        found = Calibration(*(np.asarray(stored[name], np.float64) for name in Calibration._fields))
    except (TypeError, ValueError, KeyError):
        found = Calibration(np.zeros(0), np.zeros(0))
    finite = all(x.shape == (num_classes,) and np.isfinite(x).all() for x in found)
    if not finite or (found.slopes <= 0).any():
        raise ValueError(
            f'the calibration in {source} must have {num_classes} finite `slopes` above 0 and '
            f'{num_classes} finite `offsets`, got {stored!r:.200}'
        )
    return found
