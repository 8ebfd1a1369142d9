"""No NaN or infinite loss reaches the weights."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapperDict
from torch import Tensor, distributed

from mmmsf.engine import NonFiniteLossHook
from mmmsf.registry import HOOKS
from tests.helpers import half_on_cpu  # noqa: F401  registers it
from tests.helpers.clean_process import start_process
from tests.helpers.fragile_run import BAD, GOOD, Keep, images, make_runner, state_of

ROOT = Path(__file__).resolve().parents[3]
WRAPPERS: dict[str, dict[str, Any]] = {
    'float32': dict(),
    'clipped': dict(clip_grad=dict(max_norm=1.0)),
    'accumulated': dict(accumulative_counts=2),
    'bfloat16': dict(type='mmmsf.CpuAmpOptimWrapper'),
    'float16': dict(type='HalfOnCpu', init_scale=64.0),
    'float16, accumulated': dict(type='HalfOnCpu', init_scale=64.0, accumulative_counts=2),
}


def assert_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for key in one:
        torch.testing.assert_close(one[key], other[key], rtol=0, atol=0, msg=key)


@pytest.mark.parametrize('wrapper', WRAPPERS)
@pytest.mark.parametrize(
    'kinds', [(GOOD, GOOD, BAD, GOOD), (GOOD, GOOD, GOOD, BAD)], ids=['third', 'fourth']
)
def test_stops_before_the_step(tmp_path: Path, wrapper: str, kinds: tuple[str, ...]) -> None:
    keep, number = Keep(), kinds.index(BAD)
    runner = make_runner(tmp_path, images(*kinds), hooks=(keep,), optim_wrapper=WRAPPERS[wrapper])
    with pytest.raises(FloatingPointError) as caught:
        runner.train()
    assert re.match(
        rf'iteration {number + 1}: loss_fit=nan, loss_size=0\.\d+ for good{number}-0'
        rf'\.png, bad{number}-1\.png\. ',
        str(caught.value),
    )
    assert len(keep.states) == number + 1
    weights = dict(runner.model.named_parameters())
    assert_equal({key: keep.states[-1][key] for key in weights}, weights)
    assert not (tmp_path / f'iter_{number + 1}.pth').exists()
    assert (tmp_path / f'iter_{number}.pth').exists()


def test_a_gradient_that_overflows_is_left_to_the_scaler(tmp_path: Path) -> None:
    keep = Keep()
    runner = make_runner(
        tmp_path,
        images(*[GOOD] * 12),
        hooks=(keep,),
        optim_wrapper=dict(type='HalfOnCpu', init_scale=2.0**24),
    )
    runner.train()
    assert_equal(
        {key: value for key, value in keep.states[1].items() if 'layers.3' in key},
        {key: value for key, value in keep.states[0].items() if 'layers.3' in key},
    )
    assert runner.optim_wrapper.loss_scaler.get_scale() < 2.0**24
    assert not torch.equal(keep.states[-1]['layers.3.weight'], keep.states[0]['layers.3.weight'])


def test_a_second_training_watches_once(tmp_path: Path) -> None:
    runner = make_runner(tmp_path, images(GOOD, BAD))
    for _ in range(2):
        with pytest.raises(FloatingPointError):
            runner.train()
        runner.train_loop._iter = 0
    assert len(runner.model._forward_hooks) == 1


def test_skipping_is_refused() -> None:
    with pytest.raises(ValueError, match=r'max_skipped must be 0, got 2.*removed in 0\.2\.0'):
        HOOKS.build(dict(type='mmmsf.NonFiniteLossHook', max_skipped=2))
    NonFiniteLossHook(max_skipped=0)


def test_every_optimizer_of_several_is_guarded(tmp_path: Path) -> None:
    runner = make_runner(tmp_path, images(GOOD))
    wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.optim_wrapper = OptimWrapperDict(a=wrapper)
    hook = NonFiniteLossHook()
    hook.before_train(runner)
    assert len(wrapper.optimizer._optimizer_step_pre_hooks) == 1
    hook.after_train(runner)
    assert not wrapper.optimizer._optimizer_step_pre_hooks


def test_every_recipe_has_it() -> None:
    """Every recipe has one of these bases; test_configs.py builds them all."""
    runtimes = list((ROOT / 'configs/_base_').glob('*runtime*.py'))
    assert runtimes
    for path in runtimes:
        assert Config.fromfile(path).default_hooks.non_finite == dict(
            type='mmmsf.NonFiniteLossHook'
        ), path


SCENES: dict[str, tuple[str, list[list[str]]]] = {  # wrapper, kinds of batches of each rank
    'plain': ('float32', [[GOOD, GOOD, GOOD], [GOOD, BAD, GOOD]]),
    'float16': ('float16', [[GOOD, GOOD, GOOD], [GOOD, BAD, GOOD]]),
    'accumulated': ('accumulated', [[GOOD] * 4, [GOOD, GOOD, BAD, GOOD]]),
}


def _train(rank: int, folder: Path) -> None:
    distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    for scene, (wrapper, kinds) in SCENES.items():
        names = [f'{name}-{rank}' for name in images(*kinds[rank])]
        runner = make_runner(
            folder / scene,
            names,
            optim_wrapper=WRAPPERS[wrapper],
            launcher='pytorch',
            cfg=dict(
                model_wrapper_cfg=dict(
                    type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False
                )
            ),
        )
        try:
            runner.train()
            error = ''
        except FloatingPointError as stop:
            error = str(stop)
        torch.save(dict(state=state_of(runner), error=error), folder / f'{scene}-{rank}.pt')
    os._exit(0)  # torch 2.7 can hang when the group is destroyed


@pytest.fixture(scope='module')
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('two')
    processes = [start_process(_train, rank, folder, LOCAL_RANK='0') for rank in range(2)]
    for process in processes:
        process.join(timeout=100)
        process.kill()
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    return folder


@pytest.mark.parametrize('scene', SCENES)
def test_ranks_stop_together(two_processes: Path, scene: str) -> None:
    """A batch that is bad on one rank stops both before the same step, with the same error."""
    one, other = (torch.load(two_processes / f'{scene}-{rank}.pt') for rank in range(2))
    weights = [key for key in one['state'] if 'running' not in key]
    assert_equal(
        {key: one['state'][key] for key in weights}, {key: other['state'][key] for key in weights}
    )
    assert all(one['state'][key].isfinite().all() for key in weights)
    assert one['error'] == other['error']
    number = SCENES[scene][1][1].index(BAD)
    assert re.match(
        rf'iteration {number + 1}: loss_fit=nan, .* in process 1 for '
        rf'good{number}-0-1\.png, bad{number}-1-1\.png\. ',
        one['error'],
    )
