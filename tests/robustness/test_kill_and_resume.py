"""A training that is killed and resumed ends like an uninterrupted one, to the bit.

The quick tests of the same code are in tests/engine/resume. More kills, and those at random moments
by epoch as well, by hand: ``KILLS=20 pytest -m slow tests/robustness/test_kill_and_resume.py``.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from mmmsf.engine.resume.find_checkpoint import checkpoint_fault
from tests.helpers.checkpoint_state import assert_same, state_of
from tests.helpers.clean_process import start_process
from tests.helpers.kill_switch import MOMENTS
from tests.helpers.run_tool import run_tool
from tests.helpers.tiny_training import CONFIG, TINY

CONFIG_TEXT = f"""
_base_ = '{CONFIG}'
custom_imports = dict(imports=['mmmsf', 'tests.helpers.kill_switch'], allow_failed_imports=False)
custom_hooks = _base_.custom_hooks + [
    dict(type='EMAHook', momentum=0.1), dict(type='Noise'), dict(type='KillSwitch')]
"""
OPTIONS = [
    *TINY,
    'train_dataloader.dataset.num_images.train=80',
    'val_dataloader.dataset.num_images.train=80',
    'test_dataloader.dataset.num_images.train=80',
    'default_hooks.checkpoint.max_keep_ckpts=2',
]  # 5 steps an epoch
KILLS = int(os.environ.get('KILLS', 1))
EPOCHS = KILLS + 5  # a kill late in an epoch leaves it to be repeated
BY_STEP = ['default_hooks.checkpoint.by_epoch=False', 'default_hooks.checkpoint.interval=2']


def arguments(folder: Path, work_dir: str, options: list[str], resume: bool) -> list[str]:
    config = folder / 'config.py'
    config.write_text(CONFIG_TEXT)
    return [
        str(config),
        '--work-dir',
        work_dir,
        *(['--resume'] if resume else []),
        '--cfg-options',
        *OPTIONS,
        *options,
    ]


def _train(folder: Path, work_dir: str, options: list[str]) -> None:
    done = run_tool(folder, 'train.py', *arguments(folder, work_dir, options, resume=True))
    assert done.returncode == 0, done.stderr


def start(folder: Path, work_dir: str, options: list[str], kill: str = '') -> ForkServerProcess:
    """Start tools/train.py with ``--resume``, which kills itself at the moment ``kill``."""
    (folder / 'phase').write_text('start')
    return start_process(
        _train,
        folder,
        work_dir,
        options,
        MMMSF_TEST_KILL=kill,
        MMMSF_TEST_PHASE=str(folder / 'phase'),
    )


def finish(process: ForkServerProcess, codes: Sequence[int]) -> bool:
    """Wait for the end of the process; return True if it was killed."""
    process.join(timeout=900)
    assert process.exitcode in codes
    return process.exitcode == -signal.SIGKILL


def train(folder: Path, work_dir: str, options: list[str], kill: str = '') -> None:
    """Train to the end, or to the moment ``kill``."""
    finish(start(folder, work_dir, options, kill), [-signal.SIGKILL if kill else 0])


def assert_same_end(folder: Path, one: str, other: str, last: str) -> None:
    names = [sorted(path.name for path in (folder / run).glob('*.pth*')) for run in (one, other)]
    assert names[0] == names[1]
    assert last in names[0] and len(names[0]) == 3  # two and the best
    for name in names[0]:
        assert_same(state_of(folder / one / name), state_of(folder / other / name), name)


@pytest.mark.slow
@pytest.mark.parametrize(
    'options, kills, last',
    [
        ([], ['half-written:2', 'validation:1'], 'epoch_2.pth'),
        (BY_STEP, ['step:4', 'unnoted:2'], 'iter_10.pth'),
    ],
    ids=['by epoch', 'by step'],
)
def test_two_kills(tmp_path: Path, options: list[str], kills: list[str], last: str) -> None:
    """The killed run has two loader workers, the uninterrupted one has none."""
    train(tmp_path, 'whole', options)
    for kill in kills:
        train(tmp_path, 'killed', [*options, 'train_dataloader.num_workers=2'], kill)
    train(tmp_path, 'killed', [*options, 'train_dataloader.num_workers=2'])
    assert_same_end(tmp_path, 'whole', 'killed', last)


def kill_once(folder: Path, options: list[str], chance: random.Random) -> str:
    """Start the training, kill it at a random moment and return its phase at that moment.

    A third is killed from outside at a random time after the first step, the others by themselves
    at a random choice of the moments that are too short to be hit from outside.
    """
    if chance.random() < 1 / 3:
        process, delay = start(folder, 'killed', options), chance.uniform(0, 2)
        while (folder / 'phase').read_text() in ('start', '') and process.is_alive():
            time.sleep(0.01)
        time.sleep(delay)
        process.kill()
        phase = (folder / 'phase').read_text() + ', from outside'
    else:
        phase = chance.choice(MOMENTS)
        number = chance.randint(3, 8) if phase == 'step' else chance.randint(1, 4)
        process = start(folder, 'killed', options, f'{phase}:{number}')
    return phase if finish(process, [-signal.SIGKILL, 0]) else 'ended before'


@pytest.mark.slow
@pytest.mark.parametrize('mode', ['by step', 'by epoch'] if 'KILLS' in os.environ else ['by step'])
def test_random_kills(tmp_path: Path, mode: str) -> None:
    """Random kills in one training with two loader workers, each resumed by tools/train.py."""
    options = [
        *(BY_STEP if mode == 'by step' else []),
        f'train_cfg.max_epochs={EPOCHS}',
        f'param_scheduler.end={EPOCHS}',
        'train_dataloader.num_workers=2',
    ]
    train(tmp_path, 'whole', options)
    chance, phases, partial = random.Random(0), Counter[str](), 0
    while sum(phases.values()) < KILLS:
        phase = kill_once(tmp_path, options, chance)
        assert phase != 'ended before', f'too few epochs for {KILLS} kills: {phases}'
        phases[phase] += 1
        partial += len(list((tmp_path / 'killed').glob('*.partial')))
        for path in (tmp_path / 'killed').glob('*.pth'):
            assert checkpoint_fault(path) is None, path
    train(tmp_path, 'killed', options)
    print(f'{mode}: killed in {dict(sorted(phases.items()))}; partial files seen: {partial}')
    last = f'iter_{5 * EPOCHS}.pth' if mode == 'by step' else f'epoch_{EPOCHS}.pth'
    assert_same_end(tmp_path, 'whole', 'killed', last)
    assert not list((tmp_path / 'killed').glob('*.partial'))
