import contextlib
from pathlib import Path
from typing import Any

import pytest
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmmsf.engine import LossEpochHook
from tests.helpers.small_run import StopError, StopHook, make_runner


class Loss(nn.Module):
    """A loss of a user."""

    epoch = -1

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch


class Record(Hook):
    """Record the epoch that the loss holds at every step."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self.seen.append((runner.iter, runner.model.loss.epoch))


def train(folder: Path, *hooks: Hook, **kwargs: Any) -> list[tuple[int, int]]:
    record = Record()
    checkpoint = dict(interval=8, by_epoch=False)
    runner = make_runner(folder, checkpoint, [LossEpochHook(), record, *hooks], **kwargs)
    runner.model.loss = Loss()
    with contextlib.suppress(StopError):
        runner.train()
    return record.seen


def test_a_resumed_run_continues_with_its_epoch(tmp_path: Path) -> None:
    seen = train(tmp_path, StopHook('step', 9))
    assert seen[-2:] == [(6, 1), (7, 1)]
    assert seen[:6] == [(step, 0) for step in range(6)]
    resumed = train(tmp_path, resume=True, load_from=str(tmp_path / 'iter_8.pth'))
    assert resumed == [(step, 1) for step in range(8, 12)]


def test_a_training_that_counts_no_epochs_is_refused(tmp_path: Path) -> None:
    cfg = dict(by_epoch=False, max_iters=4, val_interval=10)
    with pytest.raises(ValueError, match='must be trained by epochs, got IterBasedTrainLoop'):
        train(tmp_path, train_cfg=cfg, param_scheduler=None)
