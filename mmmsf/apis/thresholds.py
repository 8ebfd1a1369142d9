"""Thresholds of a prediction: the model's own, replaced where the caller names others."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mmmsf.checkpoint.loading import LoadedModel
from mmmsf.utils.groups import ungated_classes

Thresholds = float | Sequence[float] | Mapping[str, float] | None


def merge_thresholds(found: LoadedModel, wanted: Thresholds) -> NDArray[np.float32]:
    """Replace a model's thresholds by those of the caller.

    Args:
        found: Model with K classes.
        wanted: One number for all classes, K numbers, or a dict from class names to numbers; None
            replaces none.

    Returns:
        (K,) float32.

    Raises:
        ValueError: A class is unknown or needs no threshold, there are not K numbers, or a number
            is not finite.
    """
    values = found.thresholds.copy()
    rule = f'`thresholds` must be one number, {len(values)} numbers or a dict from class names'
    try:
        numbers = np.asarray(
            list(wanted.values()) if isinstance(wanted, Mapping) else wanted, np.float32
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f'{rule}, got {wanted!r:.200}') from error
    if isinstance(wanted, Mapping):
        unknown = sorted(set(wanted) - set(found.classes))
        if unknown:
            raise ValueError(f'`thresholds` names classes that the model lacks: {unknown}')
        ungated = {found.classes[k] for k in ungated_classes(found.groups)} & set(wanted)
        if ungated:
            raise ValueError(
                '`thresholds` must not name classes of groups of which one always holds, since '
                f'the highest score is chosen, got {sorted(ungated)}'
            )
        if numbers.ndim != 1:
            raise ValueError(f'{rule}, got {wanted!r:.200}')
        values[[found.classes.index(name) for name in wanted]] = numbers
    elif wanted is not None:
        if numbers.shape not in ((), values.shape):
            raise ValueError(f'{rule}, got shape {numbers.shape}')
        values[:] = numbers
    if not np.isfinite(values).all():
        raise ValueError(f'`thresholds` must be finite numbers, got {wanted!r:.200}')
    return values
