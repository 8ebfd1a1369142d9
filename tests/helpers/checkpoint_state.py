"""Comparison of checkpoints, to the bit and without clocks."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from mmmsf.checkpoint.files import read_checkpoint

CLOCKS = ('time', 'data_time', 'memory', 'eta')  # no function of the seed


def plain(value: Any) -> Any:
    """Convert a history to its numbers; leave everything else unchanged."""
    return value._log_history.copy() if isinstance(value, HistoryBuffer) else value


def assert_same(one: Any, other: Any, where: str = 'checkpoint') -> None:
    """Compare nested dicts, lists, arrays and tensors to the bit."""
    one, other = plain(one), plain(other)
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f'{where}[{key!r}]')
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f'{where}[{index}]')
    elif isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype and one.stride() == other.stride(), where
        assert torch.equal(one, other), where
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other, where)
    else:
        assert one == other, where


def state_of(path: Path) -> dict[str, Any]:
    """Read a checkpoint without its clocks, with file names for paths."""
    checkpoint = read_checkpoint(path)
    hub = checkpoint['message_hub']
    scalars = {
        key: value for key, value in hub['log_scalars'].items() if key.split('/')[-1] not in CLOCKS
    }
    info = {
        key: Path(value).name if key in ('last_ckpt', 'best_ckpt') else value
        for key, value in hub['runtime_info'].items()
        if key not in ('cfg', 'experiment_name', *CLOCKS)
    }
    keys = ('epoch', 'iter', 'seed', 'thresholds')
    meta = {key: checkpoint['meta'].get(key) for key in keys}
    return {**checkpoint, 'meta': meta, 'message_hub': dict(log_scalars=scalars, runtime_info=info)}
