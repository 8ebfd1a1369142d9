"""A hook that kills the training it runs in, for test_kill_and_resume.py.

``MMMSF_TEST_KILL`` is ``<moment>:<number>``: the process is killed when that moment occurs for
that number of times. ``MMMSF_TEST_PHASE`` names a file that holds the current phase.
"""

import os
import random
import signal
from pathlib import Path
from typing import Any

import mmengine.hooks
import numpy as np
import torch
from mmengine.registry import HOOKS

from mmmsf.utils import atomic_file

MOMENTS = ('step', 'validation', 'half-written', 'unnamed', 'unnoted', 'not cleared')


class _Half:
    """A file that writes half of its data and kills the process."""

    def __init__(self, file: Any, last: bool) -> None:
        self._file, self._last = file, last

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> '_Half':
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        self._file.write(data[: len(data) // 2] if self._last else data)
        if self._last:
            self._file.flush()
            os.kill(os.getpid(), signal.SIGKILL)


@HOOKS.register_module()
class KillSwitch(mmengine.hooks.Hook):
    """Send SIGKILL to this process at the moment named in the environment."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        moment, _, number = os.environ.get('MMMSF_TEST_KILL', '').partition(':')
        self._moment, self._left = moment, int(number or 0)
        phase = os.environ.get('MMMSF_TEST_PHASE')
        self._phase = Path(phase) if phase else None
        self._open, self._replace = open, os.replace
        atomic_file.open = self._opened  # type: ignore[attr-defined]
        atomic_file.os = _Os(self)  # type: ignore[attr-defined]

    def at(self, moment: str) -> bool:
        """Count the moment; return True if it is the last."""
        if moment != self._moment:
            return False
        self._left -= 1
        return self._left == 0

    def strike(self, moment: str) -> None:
        """Count the moment and kill the process if it is the last."""
        if self.at(moment):
            os.kill(os.getpid(), signal.SIGKILL)

    def note(self, phase: str) -> None:
        """Write the phase for the process that may kill this one."""
        if self._phase:
            self._phase.write_text(phase)

    def _opened(self, path: Path, mode: str) -> Any:
        checkpoint = '.pth' in path.name
        self.note('checkpoint write')
        return _Half(self._open(path, mode), checkpoint and self.at('half-written'))

    def before_train_epoch(self, runner: Any) -> None:
        self.note('step')

    def before_train(self, runner: Any) -> None:
        """Count steps between the gradients and the new weights."""
        runner.optim_wrapper.optimizer.register_step_pre_hook(lambda *_: self.strike('step'))

    def before_val_epoch(self, runner: Any) -> None:
        self.note('validation')

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.strike('validation')


class _Os:
    """The module ``os`` with a moment before and after each rename."""

    def __init__(self, switch: KillSwitch) -> None:
        self._switch = switch

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def replace(self, old: Path, new: Path) -> None:
        if new.suffix == '.pth':
            self._switch.strike('unnamed')
        os.replace(old, new)
        self._switch.strike('unnoted' if new.suffix == '.pth' else 'not cleared')
        self._switch.note('checkpoint write' if new.suffix == '.pth' else 'step')


@HOOKS.register_module()
class Noise(mmengine.hooks.Hook):
    """Make every step depend on all generators of the main process."""

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        scale = 1 + 0.01 * (random.random() + np.random.rand() + float(torch.rand(())))
        data_batch['inputs'] = data_batch['inputs'] * scale
