"""A run that is stopped and resumed must end as one that was not, wherever it stops."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from mmmsf.engine.resume.find_checkpoint import find_checkpoint
from tests.helpers.checkpoint_state import assert_same, state_of
from tests.helpers.small_run import NoisyNumbers, StopError, StopHook, loader, make_runner

BY_EPOCH = dict(interval=1, save_best='m/value', rule='less', max_keep_ckpts=2)
BY_STEP = dict(BY_EPOCH, by_epoch=False, interval=1)
ACCUMULATE = dict(optim_wrapper=dict(optimizer=dict(type='Adam', lr=1e-2), accumulative_counts=4))


def run(folder: Path, checkpoint: dict, stop: tuple[str, int] | None = None, **kwargs: Any) -> None:
    """Train, from the newest checkpoint on where there is one, until the stop."""
    before = find_checkpoint(folder)
    hooks = [StopHook(*stop)] if stop else []
    runner = make_runner(
        folder,
        checkpoint,
        hooks,
        resume=before is not None,
        load_from=str(before) if before else None,
        **kwargs,
    )
    if stop is None:
        runner.train()
    else:
        with pytest.raises(StopError):
            runner.train()


def assert_same_end(one: Path, other: Path) -> None:
    names = sorted(path.name for path in one.glob('*.pth*'))
    assert names == sorted(path.name for path in other.glob('*.pth*'))
    assert len(names) == 3
    for name in names:
        assert_same(state_of(one / name), state_of(other / name), name)


MODES: dict[str, tuple[dict, dict]] = {
    'by epoch': (BY_EPOCH, {}),
    'by step': (BY_STEP, {}),
    'every four steps': (dict(BY_STEP, interval=4), {}),
    'accumulated gradients': (BY_STEP, ACCUMULATE),
}


@pytest.fixture(scope='module', params=MODES)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was not stopped, in a folder of its mode's name."""
    folder = tmp_path_factory.mktemp('whole') / request.param
    checkpoint, kwargs = MODES[request.param]
    run(folder, checkpoint, **kwargs)
    return folder


@pytest.mark.parametrize(
    'stops',
    [
        [('step', 1), ('step', 4)],
        [('step', 7)],
        [('step', 12), ('validation', 3)],
        [('validation', 1), ('validation', 1), ('step', 3)],
        [('validation', 6)],
    ],
    ids=str,
)
def test_stopped_and_resumed(tmp_path: Path, whole: Path, stops: list[tuple[str, int]]) -> None:
    checkpoint, kwargs = MODES[whole.name]
    for stop in stops:
        run(tmp_path, checkpoint, stop, **kwargs)
    run(tmp_path, checkpoint, **kwargs)
    assert_same_end(whole, tmp_path)


def test_without_a_seed_the_first_runs_is_kept(tmp_path: Path) -> None:
    """The order of the samples and the random numbers, of which another run has others."""
    steps: dict[str, list] = {}

    class Watch(StopHook):
        def __init__(self, name: str, moment: str, number: int) -> None:
            super().__init__(moment, number)
            self.name = name

        def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
            super().before_train_iter(runner, batch_idx, data_batch)
            steps.setdefault(self.name, []).append(data_batch)

    runner = make_runner(
        tmp_path, BY_STEP, [Watch('whole', 'step', 99)], randomness=dict(seed=None)
    )
    runner.train()
    first = tmp_path / 'a' / 'iter_4.pth'
    runner = make_runner(
        tmp_path / 'a',
        dict(BY_STEP, max_keep_ckpts=-1),
        [Watch('a', 'step', 6)],
        randomness=dict(seed=None),
    )
    with pytest.raises(StopError):
        runner.train()
    for name in ('b', 'c'):
        runner = make_runner(
            tmp_path / name,
            BY_STEP,
            [Watch(name, 'step', 99)],
            randomness=dict(seed=None),
            resume=True,
            load_from=str(first),
        )
        runner.train()
    assert len(steps['b']) == 8
    assert_same(steps['b'], steps['c'])
    assert torch.equal(steps['a'][4], steps['b'][0])
    assert not torch.equal(torch.cat(steps['whole'][:4]), torch.cat(steps['a'][:4]))


def test_another_batch_size_begins_the_epoch_again(tmp_path: Path) -> None:
    run(tmp_path, BY_STEP, ('step', 4))
    seen: list[int] = []

    class Watch(StopHook):
        def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
            seen.append(batch_idx)

    runner = make_runner(
        tmp_path,
        BY_STEP,
        [Watch('', 0)],
        resume=True,
        train_dataloader=loader(4),
        load_from=str(find_checkpoint(tmp_path)),
    )
    messages: list[str] = []
    runner.logger.warning = messages.append  # type: ignore[method-assign,assignment]
    runner.train()
    assert seen == [0, 1, 2, 0, 1, 2]
    assert any('3 steps with 6 steps an epoch, now there are 3' in line for line in messages)


def test_validation_draws_nothing_from_the_training(tmp_path: Path) -> None:
    """Weights are those of a run that is never validated."""
    run(tmp_path / 'with', BY_EPOCH, param_scheduler=None)
    run(
        tmp_path / 'without',
        dict(interval=1),
        param_scheduler=None,
        val_dataloader=None,
        val_cfg=None,
        val_evaluator=None,
    )
    one, other = (state_of(tmp_path / name / 'epoch_2.pth') for name in ('with', 'without'))
    assert_same(one['state_dict'], other['state_dict'])


def test_a_loader_that_is_built_already_is_refused(tmp_path: Path) -> None:
    runner = make_runner(tmp_path, BY_EPOCH, train_dataloader=DataLoader(NoisyNumbers()))
    with pytest.raises(TypeError, match='`train_dataloader` must be a config, got a DataLoader'):
        runner.train()
