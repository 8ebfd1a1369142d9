"""The tools train.py and test.py on a training of seconds."""

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmmsf.checkpoint.files import read_checkpoint
from mmmsf.checkpoint.thresholds import read_thresholds
from mmmsf.evaluation import Predictions
from mmmsf.evaluation.tuning import threshold_table, tune_frequent_classes
from tests.helpers.checkpoint_state import assert_same, state_of
from tests.helpers.run_tool import run_tool
from tests.helpers.tiny_training import CONFIG, NUM_VAL, ROOT, TINY, run

WITH_AVERAGE = [*TINY, 'custom_hooks.4.type=EMAHook', 'custom_hooks.4.momentum=0.1']


def run_here(folder: Path, tool: str, *arguments: str, options: list[str] = TINY) -> str:
    """Run a tool in this process; a failure fails the test."""
    done = run_tool(folder, tool, str(CONFIG), *arguments, '--cfg-options', *options)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished training of two epochs in ``full``."""
    folder = tmp_path_factory.mktemp('tools')
    shown = run_here(folder, 'train.py', '--work-dir', 'full', options=WITH_AVERAGE)
    (folder / 'console.txt').write_text(shown)
    return folder


@pytest.fixture(scope='module')
def tested(folder: Path) -> Path:
    """The folder after a test of the last checkpoint with all kinds of output."""
    arguments = ['full/epoch_2.pth', '--work-dir', 'tested', '--out', 'predictions.npz']
    run_here(folder, 'test.py', *arguments, '--show-dir', 'shown')
    return folder


def metrics_of(folder: Path, run_dir: str, split: str) -> dict[str, float]:
    return json.loads((folder / run_dir / split / 'metrics.json').read_text())


PAGES = ('System environment:', 'Config:', 'Hooks will be executed', 'paramwise_options')


def test_the_console_says_what_runs_and_the_log_file_says_all(folder: Path) -> None:
    shown = (folder / 'console.txt').read_text().splitlines()
    lines = [line.split(' - ')[-1] for line in shown]
    assert re.fullmatch(rf'Train {CONFIG} on \S+; work dir \S+/full, log in \d+_\d+', lines[0])
    assert f'Data: 48 images to train (ScaledDigits), {NUM_VAL} to validate' in '\n'.join(lines)
    assert sum(line.startswith('Epoch(train)') for line in lines) == 6
    (log,) = (folder / 'full').glob('*/*.log')
    written = log.read_text()
    for page in PAGES:
        assert page in written and page not in '\n'.join(lines), page
    missing = [line for line in lines if line not in written and 'ETA:' not in line]  # a bar
    assert not missing, missing
    assert not [line for line in shown if 'WARNING' in line]


def test_thresholds_of_the_last_validation_are_in_the_last_checkpoint(folder: Path) -> None:
    data = Predictions.load(folder / 'full/val/predictions.npz')
    by_hand = tune_frequent_classes(data.scores, data.targets).values
    assert (by_hand != 0.5).any() and (by_hand == 0.5).any()  # frequent and rare classes
    assert read_thresholds(folder / 'full/epoch_2.pth') == by_hand.tolist()
    table = threshold_table(data.scores, data.targets, {'tuned on these images': by_hand})
    assert table.splitlines()[-1] in (folder / 'console.txt').read_text()
    (best,) = (folder / 'full').glob('best_*.pth')
    assert len(read_thresholds(best)) == 10


def test_training_leaves_tables_pictures_and_checkpoints(folder: Path) -> None:
    assert 'mAP' in metrics_of(folder, 'full', 'val')
    table = (folder / 'full/val/per_class.csv').read_text().splitlines()
    assert len(table) == 11
    assert (folder / 'full/val/contact_sheet.png').stat().st_size > 1000
    assert (folder / 'full/epoch_2.pth').exists()


def test_checkpoint_is_safe_and_names_the_classes(folder: Path) -> None:
    checkpoint = read_checkpoint(folder / 'full/epoch_2.pth')
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
    assert (tested / 'tested/test/contact_sheet.png').exists()
    assert 'CF1_tuned' in metrics_of(tested, 'tested', 'test')


def test_a_resumed_run_ends_like_one_that_was_not_stopped(folder: Path) -> None:
    """Stop after the first epoch, resume, and compare with the run that was not stopped."""
    stopped = folder / 'stopped'
    stopped.mkdir()
    (stopped / 'epoch_1.pth').write_bytes((folder / 'full/epoch_1.pth').read_bytes())
    (stopped / 'last_checkpoint').write_text(str(stopped / 'epoch_1.pth'))
    before = (stopped / 'epoch_1.pth').stat().st_mtime_ns
    run_here(folder, 'train.py', '--work-dir', 'stopped', '--resume', options=WITH_AVERAGE)
    assert (stopped / 'epoch_1.pth').stat().st_mtime_ns == before  # resumed, not trained anew
    full, again = (state_of(folder / name / 'epoch_2.pth') for name in ('full', 'stopped'))
    assert again['meta']['iter'] == again['ema_state_dict']['steps'] == 6
    assert_same(full, again)


def test_thresholds_are_not_tuned_on_averages_over_views(tested: Path) -> None:
    run_here(
        tested, 'test.py', 'full/epoch_2.pth', '--work-dir', 'views', '--out', 'v.npz', '--tta'
    )
    files = 'predictions.npz', 'v.npz'
    assert [Predictions.load(tested / name).tta for name in files] == [False, True]
    done = run_tool(tested, 'analysis/tune_thresholds.py', 'v.npz')
    assert done.returncode == 1
    assert 'nothing written: the scores in v.npz must not be averages over views' in done.stderr


@pytest.mark.slow
def test_other_outputs_and_tta(tested: Path) -> None:
    arguments = ['full/epoch_2.pth', '--work-dir', 'tta', '--out', 'metrics.json', '--tta']
    shown = run_here(tested, 'test.py', *arguments, '--no-thresholds', '--verbose')
    assert all(page in shown for page in PAGES[:3])
    averaged = json.loads((tested / 'metrics.json').read_text())
    assert 'multi-label/CF1_tuned' not in averaged
    assert averaged['multi-label/mAP'] != metrics_of(tested, 'tested', 'test')['mAP']


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


def test_auto_scale_lr_needs_a_base_batch_size(tmp_path: Path) -> None:
    (tmp_path / 'd.py').write_text('train_cfg = None\n')
    done = run_tool(tmp_path, 'train.py', 'd.py', '--auto-scale-lr')
    assert done.returncode == 1
    assert '--auto-scale-lr: d.py has no `auto_scale_lr=dict(base_batch_size=...)`' in done.stderr


@pytest.mark.slow
def test_compiled_training_resumes_and_loads_anywhere(folder: Path) -> None:
    """The graphs are captured but run as they are; machine code would take minutes."""
    hooks = [dict(type='EMAHook', momentum=0.1), dict(type='mmmsf.CompileHook', backend='eager')]
    config = folder / 'compiled.py'
    config.write_text(f"_base_ = '{CONFIG}'\ncustom_hooks = _base_.custom_hooks + {hooks}\n")
    arguments = [str(config), '--work-dir', 'compiled', '--compile', '--cfg-options', *TINY]
    counters = torch._dynamo.utils.counters
    counters.clear()
    for more in ('train_cfg.max_epochs=1', 'resume=True'):
        done = run_tool(folder, 'train.py', *arguments, more)
        assert done.returncode == 0, done.stderr
    assert counters['stats']['unique_graphs'] >= 3  # backbone, neck and head
    plain, compiled = (state_of(folder / name / 'epoch_2.pth') for name in ('full', 'compiled'))
    for key in ('state_dict', 'ema_state_dict'):
        assert compiled[key].keys() == plain[key].keys()
    assert compiled['meta']['iter'] == 6
    run_here(folder, 'test.py', 'compiled/epoch_2.pth', '--work-dir', 'compiled_test')


@pytest.mark.slow
def test_two_processes_measure_what_one_does(tested: Path) -> None:
    arguments = [str(CONFIG), 'full/epoch_2.pth', '--work-dir', 'two', '--out', 'two.pkl']
    run(tested, 'test.py', *arguments, '--cfg-options', *TINY, processes=2)
    one, two = (metrics_of(tested, name, 'test') for name in ('tested', 'two'))
    assert one.keys() == two.keys()
    assert two == pytest.approx(one, abs=1e-6, nan_ok=True)
    assert len(pickle.loads((tested / 'two.pkl').read_bytes())) == NUM_VAL


@pytest.mark.slow
def test_two_processes_train(folder: Path) -> None:
    arguments = [str(CONFIG), '--work-dir', 'ddp', '--amp', '--auto-scale-lr']
    out = run(folder, 'train.py', *arguments, '--cfg-options', *TINY, processes=2)
    assert 'Scaling the original LR by 2.0' in out
    assert 'mAP' in metrics_of(folder, 'ddp', 'val')
