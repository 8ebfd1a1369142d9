"""tools/analysis/tune_thresholds.py, and tools/test.py --thresholds on what it wrote."""

import contextlib
import io
import json
import os
import pickle
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mmmsf.checkpoint.files import read_checkpoint
from mmmsf.checkpoint.thresholds import read_thresholds, store_thresholds
from mmmsf.evaluation import Predictions
from mmmsf.evaluation.functional import threshold_metrics
from mmmsf.evaluation.functional.threshold_search import class_thresholds, overall_threshold
from tests.helpers.small_checkpoint import CLASSES, write_checkpoint
from tests.helpers.small_predictions import make_predictions
from tests.helpers.small_training import make_data

ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path, tool: str, *arguments: str, code: int = 0) -> str:
    """Run a tool in ``folder`` and return what it printed; another exit status fails the test.

    A test run sets MMEngine's global state and gets a process of its own, the others need none.
    """
    if tool == 'test.py':
        done = subprocess.run(
            [sys.executable, str(ROOT / 'tools' / tool), *arguments],
            cwd=folder,
            env=dict(os.environ, OMP_NUM_THREADS='1'),
            capture_output=True,
            text=True,
            timeout=300,
        )
        out, status = done.stdout + done.stderr, done.returncode
    else:
        out, status = run_here(folder, tool, *arguments)
    assert status == code, out[-3000:]
    return out


def run_here(folder: Path, tool: str, *arguments: str) -> tuple[str, int]:
    """Run a tool in this process; gives what it printed and its exit status."""
    out, status = io.StringIO(), 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        patch.chdir(folder)
        patch.setattr(sys, 'path', [str(ROOT / 'tools'), *sys.path])
        patch.setattr(sys, 'argv', [tool, *arguments])
        try:
            runpy.run_path(str(ROOT / 'tools' / tool), run_name='__main__')
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 1
            out.write(str(stop.code))
    return out.getvalue(), status


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_predictions(tmp_path / 'p.npz')
    write_checkpoint(tmp_path / 'x.pth', epoch=3)
    return tmp_path


def row(out: str, name: str) -> list[float]:
    """The six rates in a row of the table."""
    cells = next(line.split() for line in out.splitlines() if re.match(rf'{name} +\d', line))
    return [float(cell) for cell in cells[1:]]


def test_report_is_of_the_held_out_half_and_the_file_of_all(folder: Path) -> None:
    out = run(
        folder,
        'analysis/tune_thresholds.py',
        'p.npz',
        '--checkpoint',
        'x.pth',
        '--out',
        'y.pth',
        '--seed',
        '3',
    )
    data = Predictions.load(folder / 'p.npz')
    order = np.random.default_rng(3).permutation(60)
    held, rest = order[:30], order[30:]
    tuned = class_thresholds(data.scores[rest], data.targets[rest]).values
    for name, thr in (('0.5', 0.5), ('tuned', tuned)):
        expected = threshold_metrics(data.scores[held], data.targets[held], thr)
        assert row(out, name) == pytest.approx([100 * v for v in expected.values()], abs=0.006)
    before, after = read_checkpoint(folder / 'x.pth'), read_checkpoint(folder / 'y.pth')
    assert after['meta'].pop('thresholds') == pytest.approx(
        class_thresholds(data.scores, data.targets).values.tolist()
    )
    assert after['meta'] == before['meta']
    for name, value in before['state_dict'].items():
        assert torch.equal(after['state_dict'][name], value)


def test_a_rare_class_keeps_one_half(folder: Path) -> None:
    data = Predictions.load(folder / 'p.npz')
    data.targets[:, 1] = 0
    data.targets[:3, 1] = 1
    data.save(folder / 'p.npz')
    for arguments, values in (((), {'dog': 0.5}), (('--min-positives', '3'), {})):
        out = run(
            folder,
            'analysis/tune_thresholds.py',
            'p.npz',
            '--checkpoint',
            'x.pth',
            '--out',
            'y.pth',
            *arguments,
        )
        expected = class_thresholds(data.scores, data.targets).values
        for name, value in values.items():
            expected[CLASSES.index(name)] = value
        assert read_thresholds(folder / 'y.pth') == pytest.approx(expected.tolist())
        assert ('fewer than 5 positives, not tuned' in out) == bool(values)


def test_overall_and_another_file(folder: Path) -> None:
    other = make_predictions(folder / 'q.npz', seed=1)
    out = run(
        folder,
        'analysis/tune_thresholds.py',
        'p.npz',
        '--overall',
        'OF1',
        '--test',
        'q.npz',
        '--checkpoint',
        'x.pth',
        '--out',
        'y.pth',
    )
    data = Predictions.load(folder / 'p.npz')
    value = overall_threshold(data.scores, data.targets, 'OF1')
    expected = threshold_metrics(other.scores, other.targets, value)
    assert row(out, 'tuned') == pytest.approx([100 * v for v in expected.values()], abs=0.006)
    assert read_thresholds(folder / 'y.pth') == pytest.approx([value] * 5)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--objective', 'precision'], '--target goes with'),
        (['--target', '0.5'], '--target goes with'),
        (['--out', 'y.pth'], '--checkpoint and --out go together'),
        (['--holdout', '1'], '--holdout must be between 0 and 1'),
    ],
)
def test_wrong_arguments(folder: Path, arguments: list[str], message: str) -> None:
    assert message in run(folder, 'analysis/tune_thresholds.py', 'p.npz', *arguments, code=2)


def test_other_classes_and_formats_are_refused(folder: Path) -> None:
    for classes, message in (
        (CLASSES[::-1], 'the same names in another order'),
        (('cow', *CLASSES[1:]), r"\['cat', 'cow'\]"),
    ):
        with pytest.raises(ValueError, match=f'differ: {message}'):
            store_thresholds(folder / 'x.pth', folder / 'y.pth', [0.5] * 5, classes)
    with pytest.raises(ValueError, match=r'y\.safetensors must end in \.pth'):
        store_thresholds(folder / 'x.pth', folder / 'y.safetensors', [0.5] * 5, CLASSES)
    torch.save(read_checkpoint(folder / 'x.pth')['state_dict'], folder / 'z.pth')
    with pytest.raises(ValueError, match='names no classes'):
        store_thresholds(folder / 'z.pth', folder / 'y.pth', [0.5] * 5, CLASSES)
    with pytest.raises(ValueError, match='carries no thresholds; make some'):
        read_thresholds(folder / 'x.pth')
    assert not (folder / 'y.pth').exists()


@pytest.mark.slow
def test_testing_with_the_thresholds_of_a_checkpoint(folder: Path) -> None:
    make_data(folder)
    run(folder, 'test.py', 'c.py', 'x.pth', '--out', 'r.npz')
    data = Predictions.load(folder / 'r.npz')
    thresholds = [float(np.sort(column)[1]) for column in data.scores.T]
    store_thresholds(folder / 'x.pth', folder / 'y.pth', thresholds, CLASSES)
    run(folder, 'test.py', 'c.py', 'y.pth', '--thresholds', '--out', 'm.pkl', '--work-dir', 'w')
    found = json.loads((folder / 'w/test/metrics.json').read_text())
    for key, value in threshold_metrics(data.scores, data.targets, thresholds).items():
        assert found[f'{key}_tuned'] == pytest.approx(100 * value)
    assert found['CF1'] != found['CF1_tuned']
    for sample, scores in zip(
        pickle.loads((folder / 'm.pkl').read_bytes()), data.scores, strict=True
    ):
        assert (
            sample['pred_label'].tolist()
            == np.flatnonzero(scores >= np.float32(thresholds)).tolist()
        )
    assert '--thresholds: x.pth carries no thresholds' in run(
        folder, 'test.py', 'c.py', 'x.pth', '--thresholds', code=1
    )
