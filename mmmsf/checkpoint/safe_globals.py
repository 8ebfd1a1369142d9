"""The objects that PyTorch's safe loader must admit to read MMEngine's training checkpoints."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.optim.scheduler import param_scheduler

# The only attributes that a checkpoint of MMEngine reads by name.
_READABLE = {
    HistoryBuffer: ('min', 'max', 'mean', 'current'),
    param_scheduler.OneCycleParamScheduler: ('_annealing_cos', '_annealing_linear'),
}


def _narrow_getattr(owner: Any, name: str) -> Any:
    """Stand in for ``getattr`` while a checkpoint is read."""
    if isinstance(owner, type) and name in _READABLE.get(owner, ()):
        return getattr(owner, name)
    raise AttributeError(f'a checkpoint may not read the attribute {name!r} of {owner!r}')


def _admitted() -> list[Any]:
    """List history buffers, numpy scalars and arrays, and the functions that those refer to."""
    reconstruct: Any = np.zeros(1).__reduce__()[0]
    scalar: Any = np.float64(0).__reduce__()[0]
    return [
        HistoryBuffer,
        reconstruct,
        scalar,
        np.ndarray,
        np.dtype,
        slice,
        *{type(np.dtype(kind)) for kind in ('f2', 'f4', 'f8', 'i4', 'i8', 'u4', 'u8', 'b1')},
        param_scheduler.OneCycleParamScheduler,
        (_narrow_getattr, 'builtins.getattr'),
    ]


@contextmanager
def safe_globals() -> Iterator[None]:
    """Let ``torch.load(weights_only=True)`` read MMEngine's checkpoints inside the block.

    They hold more than tensors: history buffers of the message hub, numpy scalars and arrays, and
    functions that those buffers and the OneCycle scheduler refer to by name. Only those are
    admitted; ``getattr`` is replaced by one that returns nothing but those functions.

    PyTorch's list is restored exactly at the end. (``torch.serialization.safe_globals`` would drop
    every entry of the block, including those that were admitted before it.)
    """
    before = torch.serialization.get_safe_globals()
    torch.serialization.add_safe_globals(_admitted())
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)
