"""The command-line tools, run as a user would, on a training of seconds."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmmsf.checkpoint.files import read_checkpoint
from mmmsf.evaluation import Predictions
from tests.helpers.checkpoint_state import assert_same, state_of
from tests.helpers.tiny_training import CONFIG, NUM_VAL, TINY, run

ROOT = Path(__file__).resolve().parents[2]
@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished training of two epochs in ``work_dirs/full``."""
    folder = tmp_path_factory.mktemp('tools')
    run(
        folder,
        'train.py',
        str(CONFIG),
        '--work-dir',
        'work_dirs/full',
        '--cfg-options',
        *TINY,
        'custom_hooks.4.type=EMAHook',
        'custom_hooks.4.momentum=0.1',
    )
    return folder


@pytest.fixture(scope='module')
def tested(folder: Path) -> Path:
    """The folder after a test of the last checkpoint with all kinds of output."""
    run(
        folder,
        'test.py',
        str(CONFIG),
        'work_dirs/full/epoch_2.pth',
        '--work-dir',
        'work_dirs/tested',
        '--out',
        'predictions.npz',
        '--show-dir',
        'shown',
        '--cfg-options',
        *TINY,
    )
    return folder


def metrics_of(folder: Path, run_dir: str, split: str) -> dict[str, float]:
    return json.loads((folder / run_dir / split / 'metrics.json').read_text())


def test_training_leaves_tables_pictures_and_checkpoints(folder: Path) -> None:
    work_dir = folder / 'work_dirs/full'
    assert 'mAP' in metrics_of(folder, 'work_dirs/full', 'val')
    table = (work_dir / 'val/per_class.csv').read_text().splitlines()
    assert len(table) == 11
    assert (work_dir / 'val/contact_sheet.png').stat().st_size > 1000
    assert (work_dir / 'epoch_2.pth').exists()


def test_checkpoint_is_safe_and_names_the_classes(folder: Path) -> None:
    checkpoint = read_checkpoint(folder / 'work_dirs/full/epoch_2.pth')
    assert checkpoint['meta']['dataset_meta']['classes'] == tuple('0123456789')
    assert checkpoint['state_dict']['head.position.trained_grid'].tolist() == [
        [8, 8],
        [4, 4],
        [2, 2],
    ]


def test_testing_writes_what_was_asked_for(tested: Path) -> None:
    predictions = Predictions.load(tested / 'predictions.npz')
    assert predictions.scores.shape == (NUM_VAL, 10)
    assert len(list((tested / 'shown').iterdir())) == NUM_VAL
    assert (tested / 'work_dirs/tested/test/contact_sheet.png').exists()


def test_two_processes_measure_what_one_does(tested: Path) -> None:
    run(
        tested,
        'test.py',
        str(CONFIG),
        'work_dirs/full/epoch_2.pth',
        '--work-dir',
        'work_dirs/two',
        '--out',
        'two.pkl',
        '--cfg-options',
        *TINY,
        processes=2,
    )
    one = metrics_of(tested, 'work_dirs/tested', 'test')
    two = metrics_of(tested, 'work_dirs/two', 'test')
    assert one.keys() == two.keys()
    assert two == pytest.approx(one, abs=1e-6, nan_ok=True)
    assert len(pickle.loads((tested / 'two.pkl').read_bytes())) == NUM_VAL


def test_two_processes_train(folder: Path) -> None:
    out = run(
        folder,
        'train.py',
        str(CONFIG),
        '--work-dir',
        'work_dirs/ddp',
        '--amp',
        '--auto-scale-lr',
        '--cfg-options',
        *TINY,
        processes=2,
    )
    assert 'Scaling the original LR by 2.0' in out
    assert 'mAP' in metrics_of(folder, 'work_dirs/ddp', 'val')


def test_a_resumed_run_ends_like_one_that_was_not_stopped(folder: Path) -> None:
    """Stop after the first epoch, resume, and compare with the run that was not stopped."""
    options = [*TINY, 'custom_hooks.4.type=EMAHook', 'custom_hooks.4.momentum=0.1']
    stopped = folder / 'work_dirs/stopped'
    stopped.mkdir(parents=True)
    (stopped / 'epoch_1.pth').write_bytes((folder / 'work_dirs/full/epoch_1.pth').read_bytes())
    (stopped / 'last_checkpoint').write_text(str(stopped / 'epoch_1.pth'))
    out = run(
        folder,
        'train.py',
        str(CONFIG),
        '--work-dir',
        str(stopped),
        '--resume',
        '--cfg-options',
        *options,
    )
    assert 'resumed epoch: 1, iter: 3' in out
    full, again = (
        state_of(run_dir / 'epoch_2.pth') for run_dir in (folder / 'work_dirs/full', stopped)
    )
    assert again['meta']['iter'] == again['ema_state_dict']['steps'] == 6
    assert_same(full, again)


def test_other_outputs_and_tta(tested: Path) -> None:
    run(
        tested,
        'test.py',
        str(CONFIG),
        'work_dirs/full/epoch_2.pth',
        '--work-dir',
        'work_dirs/tta',
        '--out',
        'metrics.json',
        '--tta',
        '--cfg-options',
        *TINY,
    )
    averaged = json.loads((tested / 'metrics.json').read_text())
    plain = metrics_of(tested, 'work_dirs/tested', 'test')
    assert averaged['multi-label/mAP'] != plain['mAP']


def test_a_wrong_suffix_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / 'tools/test.py'), 'none.py', 'none.pth', '--out', 'x.csv'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert '--out must end in one of .npz, .pkl, .json, got x.csv' in done.stderr


def test_a_hostile_checkpoint_is_refused(tested: Path) -> None:

    class Attack:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tested / 'owned'),)

    torch.save(dict(state_dict=dict(), attack=Attack()), tested / 'hostile.pth')
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / 'tools/test.py'),
            str(CONFIG),
            'hostile.pth',
            '--cfg-options',
            *TINY,
        ],
        cwd=tested,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode != 0
    assert not (tested / 'owned').exists()
