"""tools/analysis/ablate.py, run as a user would on trainings of seconds."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.run_tool import run_tool

from .test_train_and_test import TINY

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / 'configs/msf/msf_resnet18_1xb16-10e_digits-64px.py'
GRID = ROOT / 'configs/msf/ablations/grid.yml'
SHORT = ['train_cfg.max_epochs=1', 'param_scheduler.end=1']


def ablate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    options = ['--work-dir', 'runs', '--jobs', '2', '--threads', '1', '--seeds', '0']
    command = [sys.executable, str(ROOT / 'tools/analysis/ablate.py'), *arguments, *options]
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
    )


@pytest.mark.slow
def test_runs_resumes_and_refuses_other_configs(tmp_path: Path) -> None:
    alone = [str(GRID), '--base', str(BASE), '--rows', 'msf-no-hsa', '--cfg-options', *TINY, *SHORT]
    done = ablate(tmp_path, *alone)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(tmp_path / 'runs/table.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [(row['row'], row['seed']) for row in rows] == [('msf', '0'), ('msf-no-hsa', '0')]
    assert all(0 < float(row['mAP']) <= 100 and float(row['epoch_seconds']) > 0 for row in rows)
    assert int(rows[0]['params']) - int(rows[1]['params']) == 16  # the gate
    assert '| msf-no-hsa |' in (tmp_path / 'runs/table.md').read_text()

    (tmp_path / 'runs/msf-no-hsa/seed0/result.json').unlink()
    again = ablate(tmp_path, *alone)
    assert again.returncode == 0, again.stdout + again.stderr
    assert '1 runs to do' in again.stdout
    log = (tmp_path / 'runs/msf-no-hsa/seed0/train.log').read_text()
    assert 'resumed epoch: 1' in log

    other = ablate(tmp_path, *alone, 'randomness.deterministic=True')
    assert other.returncode == 1
    assert 'is the result of another config' in other.stderr


def test_wrong_arguments(tmp_path: Path) -> None:

    def fail(*arguments: str) -> str:
        done = run_tool(tmp_path, 'analysis/ablate.py', *arguments, '--work-dir', 'runs')
        assert done.returncode
        return done.stderr

    assert fail('none.py') == 'ablate.py: there is no config none.py\n'
    assert 'got msf-none' in fail(str(GRID), '--rows', 'msf-none')
    assert '--base and --rows need a grid file' in fail(str(BASE), '--rows', 'table4')
    assert '--jobs' in fail(str(BASE), '--jobs', '0')
    assert '--seeds must differ' in fail(str(BASE), '--seeds', '0', '0')
    assert '--grid needs values' in fail(str(BASE), '--grid', 'lr')
    assert 'each key once' in fail(str(BASE), '--grid', 'lr', '1', '--grid', 'lr', '2')
    assert 'as many --gpus' in fail(str(BASE), '--gpus', '0', '--gpus-per-run', '2')
    assert 'do not fit msf' in fail(str(BASE), '--cfg-options', 'model.type.x=1')
    (tmp_path / 'empty').mkdir()
    assert fail('empty') == 'ablate.py: there is no config in the folders\n'
