"""No loss that is NaN or infinite reaches the weights."""

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


def run(folder: Path, kinds: list[str], wrapper: str = 'float32', max_skipped: int = 1) -> Any:
    runner = make_runner(
        folder, images(*kinds), max_skipped=max_skipped, optim_wrapper=WRAPPERS[wrapper]
    )
    runner.train()
    return runner


@pytest.mark.parametrize('wrapper', [name for name in WRAPPERS if 'accumulated' not in name])
def test_a_skipped_batch_leaves_no_trace(tmp_path: Path, wrapper: str) -> None:
    """In weights, batch norm's statistics and optimizer the run is the one without the batch."""
    runner = run(tmp_path, [GOOD, GOOD, BAD, GOOD], wrapper)
    kept = [name for name in images(GOOD, GOOD, BAD, GOOD) if name[-3:] not in ('2-0', '2-1')]
    other = make_runner(tmp_path / 'other', kept, optim_wrapper=WRAPPERS[wrapper])
    other.train()
    assert_equal(state_of(runner), state_of(other))
    for one, same in zip(
        runner.optim_wrapper.optimizer.state.values(),
        other.optim_wrapper.optimizer.state.values(),
        strict=True,
    ):
        assert_equal(one, same)


@pytest.mark.parametrize('wrapper', ['accumulated', 'float16, accumulated'])
@pytest.mark.parametrize('spoiled', [[BAD, GOOD], [GOOD, BAD], [BAD, BAD]], ids='-'.join)
def test_with_accumulation_the_update_is_left_out(
    tmp_path: Path, wrapper: str, spoiled: list[str]
) -> None:
    names = [GOOD, GOOD, *spoiled, GOOD, GOOD]
    runner = run(tmp_path, names, wrapper, max_skipped=2)
    kept = images(*names)[:4] + images(*names)[8:]
    other = make_runner(tmp_path / 'other', kept, optim_wrapper=WRAPPERS[wrapper])
    other.train()
    assert_equal(dict(runner.model.named_parameters()), dict(other.model.named_parameters()))
    assert all(buffer.isfinite().all() for buffer in runner.model.buffers())


def test_stops_after_the_limit_in_a_row(tmp_path: Path) -> None:
    runner = make_runner(tmp_path, images(BAD, BAD, GOOD, BAD, BAD, BAD, GOOD), max_skipped=2)
    with pytest.raises(FloatingPointError, match=r'iteration 6: .* bad5-1\.png.* \(now 2\)'):
        runner.train()
    assert all(value.isfinite().all() for value in state_of(runner).values())


def test_the_count_is_logged_and_goes_on_after_a_resume(tmp_path: Path) -> None:
    runner = make_runner(tmp_path, images(GOOD, BAD, GOOD, BAD), max_skipped=1)
    lines: list[str] = []
    runner.logger.warning = lines.append  # type: ignore[method-assign]
    runner.train()
    lines = [line for line in lines if 'Skipped' in line]
    assert runner.message_hub.get_scalar('train/skipped_batches').current() == 2
    assert [line[:12] for line in lines] == ['iteration 2:', 'iteration 4:']
    assert 'good3-0.png, bad3-1.png. Skipped; 2 batches so far, 1 in a row of at most 1' in lines[1]
    other = make_runner(
        tmp_path / 'other',
        images(*[GOOD] * 4, BAD),
        max_skipped=1,
        resume=True,
        load_from=str(tmp_path / 'iter_4.pth'),
    )
    other.train()
    assert other.message_hub.runtime_info['skipped_batches'] == 3


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


def test_wrong_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='max_skipped must be at least 0, got -1'):
        NonFiniteLossHook(max_skipped=-1)
    runner = make_runner(tmp_path, images(GOOD))
    runner.optim_wrapper = OptimWrapperDict(a=runner.build_optim_wrapper(runner.optim_wrapper))
    with pytest.raises(ValueError, match=r"a single optimizer, this run has \['a'\]"):
        NonFiniteLossHook(max_skipped=1).before_train(runner)
    NonFiniteLossHook().before_train(runner)


def test_every_recipe_has_it() -> None:
    """test_configs.py builds all recipes; each has one of these bases."""
    runtimes = list((ROOT / 'configs/_base_').glob('*runtime*.py'))
    assert runtimes
    for path in runtimes:
        assert Config.fromfile(path).default_hooks.non_finite == dict(
            type='mmmsf.NonFiniteLossHook'
        ), path


SCENES: dict[str, tuple[str, int, list[list[str]]]] = {  # wrapper, max_skipped, kinds of each rank
    'stop': ('float32', 0, [[GOOD, GOOD, GOOD], [GOOD, BAD, GOOD]]),
    'stop, accumulated': ('accumulated', 0, [[GOOD] * 4, [GOOD, GOOD, BAD, GOOD]]),
    'skip': ('float32', 1, [[GOOD, GOOD, GOOD, GOOD], [GOOD, BAD, GOOD, GOOD]]),
    'skip, float16': ('float16', 1, [[GOOD, BAD, GOOD, GOOD], [GOOD] * 4]),
    'skip, accumulated': ('accumulated', 1, [[GOOD] * 6, [GOOD, GOOD, GOOD, BAD, GOOD, GOOD]]),
    'skip, accumulated, first': (
        'accumulated',
        1,
        [[GOOD] * 6, [GOOD, GOOD, BAD, GOOD, GOOD, GOOD]],
    ),
}


def _train(rank: int, folder: Path) -> None:
    distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    for scene, (wrapper, max_skipped, kinds) in SCENES.items():
        names = [f'{name}-{rank}' for name in images(*kinds[rank])]
        runner = make_runner(
            folder / scene,
            names,
            max_skipped=max_skipped,
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
def test_processes_agree(two_processes: Path, scene: str) -> None:
    """The batch that is bad in one process stops both, or is skipped by both."""
    one, other = (torch.load(two_processes / f'{scene}-{rank}.pt') for rank in range(2))
    weights = [key for key in one['state'] if 'running' not in key]
    assert_equal(
        {key: one['state'][key] for key in weights}, {key: other['state'][key] for key in weights}
    )
    assert all(value.isfinite().all() for key, value in one['state'].items() if key in weights)
    assert one['error'] == other['error'] and bool(one['error']) == scene.startswith('stop')
    if one['error']:
        number = SCENES[scene][2][1].index(BAD)
        assert re.match(
            rf'iteration {number + 1}: loss_fit=nan, .* in process 1 for '
            rf'good{number}-0-1\.png, bad{number}-1-1\.png\. ',
            one['error'],
        )
    else:
        assert all(
            value.isfinite().all() for found in (one, other) for value in found['state'].values()
        )
