"""tools/analysis/calibrate.py, and the runs of what it wrote."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmmsf.checkpoint.files import read_checkpoint
from mmmsf.engine import launch
from mmmsf.engine.evaluation_run import use_calibration, use_thresholds
from mmmsf.evaluation import Predictions
from mmmsf.evaluation.functional import threshold_metrics
from mmmsf.evaluation.functional.calibration import calibration_curve, calibration_error
from mmmsf.evaluation.platt import fit_calibration
from mmmsf.models.heads.calibration import calibrate_scores
from tests.helpers.small_checkpoint import CLASSES, write_checkpoint
from tests.helpers.small_predictions import make_predictions
from tests.helpers.small_training import make_data, make_training_data

from .test_tune_thresholds import run

TOOL = 'analysis/calibrate.py'
WRITE = ('--checkpoint', 'x.pth', '--out', 'y.pth')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_predictions(tmp_path / 'p.npz')
    write_checkpoint(tmp_path / 'x.pth', thresholds=[0.5, 0.4, 0.6, 0.5, 0.45], epoch=3)
    return tmp_path


def row(out: str, name: str) -> list[float]:
    """The numbers in a row of the table."""
    line = next(line for line in out.splitlines() if line.startswith(name + ' '))
    return [float(cell) for cell in line[len(name) :].split()]


def test_errors_are_of_other_folds_and_the_file_of_all(folder: Path) -> None:
    data = Predictions.load(folder / 'p.npz')
    data.targets[:, 4] = np.where(data.targets[:, 4] == 1, 0, data.targets[:, 4])
    data.save(folder / 'p.npz')
    out = run(folder, TOOL, 'p.npz', *WRITE, '--folds', '3', '--seed', '2', '--csv', 't.csv')
    fold = np.random.default_rng(2).permutation(60) % 3
    calibrated = np.empty_like(data.scores)
    for i in range(3):
        lines = fit_calibration(data.scores[fold != i], data.targets[fold != i]).calibration
        calibrated[fold == i] = calibrate_scores(data.scores[fold == i], lines)
    known = data.targets >= 0
    for name, scores in (('as they are', data.scores), ('calibrated', calibrated)):
        rates = threshold_metrics(scores, data.targets, 0.5)
        expected = [
            calibration_error(calibration_curve(scores, data.targets)),
            np.mean(np.square(scores.astype(float) - data.targets)[known]),
            rates['CF1'],
            rates['OF1'],
        ]
        found = row(out, name)
        assert [found[i] for i in (0, 2, 3, 4)] == pytest.approx(
            [100 * value for value in expected], abs=0.006
        )
    assert row(out, 'calibrated')[0] < 0.5 * row(out, 'as they are')[0]
    assert '3 folds' in out and f'{CLASSES[4]}: no positive' in out
    lines = fit_calibration(data.scores, data.targets).calibration
    stored = read_checkpoint(folder / 'y.pth')['meta']['calibration']
    assert stored == dict(slopes=lines.slopes.tolist(), offsets=lines.offsets.tolist())
    table = list(csv.DictReader((folder / 't.csv').open(encoding='utf-8')))
    assert [line['class'] for line in table] == list(CLASSES)
    assert int(table[0]['positives']) == (data.targets[:, 0] == 1).sum()
    error = np.square(calibrated[:, 1] - data.targets[:, 1])[known[:, 1]].mean()
    assert float(table[1]['Brier calibrated']) == pytest.approx(100 * error, abs=0.006)
    assert float(table[2]['slope']) == pytest.approx(lines.slopes[2], abs=1e-4)


@pytest.mark.parametrize(
    ('arguments', 'message', 'code'),
    [
        (['--out', 'y.pth'], '--checkpoint and --out go together', 2),
        (['--folds', '1'], '--folds must be at least 2, got 1', 2),
        (['--folds', '61'], '--folds must be at most the 60 images, got 61', 1),
        ([*WRITE[:3], 'y.safetensors'], r'must end in \.pth', 1),
    ],
)
def test_wrong_arguments(folder: Path, arguments: list[str], message: str, code: int) -> None:
    assert re.search(message, run(folder, TOOL, 'p.npz', *arguments, code=code))
    assert not list(folder.glob('y.*'))


def test_calibrated_scores_are_refused(folder: Path) -> None:
    replace(Predictions.load(folder / 'p.npz'), calibrated=True).save(folder / 'q.npz')
    for tool, files in (
        (TOOL, ['q.npz']),
        ('analysis/tune_thresholds.py', ['q.npz']),
        ('analysis/tune_thresholds.py', ['p.npz', '--test', 'q.npz']),
    ):
        out = run(folder, tool, *files, *WRITE, code=1)
        assert 'nothing written: the scores in q.npz must not be calibrated' in out


def test_a_test_run_calibrates_and_decides_as_before(folder: Path) -> None:
    """Scores, labels and the row `tuned` of a run without and with the calibration."""
    make_data(folder)
    run(folder, TOOL, 'p.npz', *WRITE)
    rows, labels, tuned = [], [], []
    for wanted in (False, None):
        cfg = make_data(folder)
        cfg.merge_from_dict(dict(load_from=str(folder / 'y.pth'), work_dir=str(folder / 'w')))
        launch.set_dataloader_defaults(cfg)
        runner = launch.build_runner(cfg)
        calibration = use_calibration(runner, folder / 'y.pth', wanted)
        assert (calibration is None) == (wanted is False)
        use_thresholds(runner, read_checkpoint(folder / 'y.pth')['meta']['thresholds'], calibration)
        (metric,) = runner.test_evaluator.metrics
        metric.keep_rows = True
        tuned.append(runner.test()['multi-label/CF1_tuned'])
        rows.append(metric.rows)
        with np.errstate(all='ignore'):
            labels.append(metric.rows.scores >= np.float32(metric.class_thr))
        saved = Predictions.load(folder / 'w/test/predictions.npz')
        assert saved.calibrated == (wanted is None)
    np.testing.assert_array_equal(*labels)
    assert labels[0].any() and not labels[0].all() and tuned[0] == tuned[1]
    expected = calibrate_scores(rows[0].scores, calibration)
    np.testing.assert_allclose(rows[1].scores, expected, rtol=1e-5)
    with pytest.raises(ValueError, match='carries no calibration'):
        use_calibration(runner, folder / 'x.pth', True)


@pytest.mark.slow
def test_every_tool_applies_it_and_a_training_forgets_it(folder: Path) -> None:
    make_training_data(folder, 1)
    run(folder, TOOL, 'p.npz', *WRITE)
    scores = {}
    for name in ('--calibration', '--no-calibration'):
        run(folder, 'test.py', 'c.py', 'y.pth', name, '--out', f's{name}.npz')
        scores[name] = Predictions.load(folder / f's{name}.npz').scores
    assert np.abs(scores['--calibration'] - scores['--no-calibration']).max() > 0.05
    for arguments, expected in (((), scores['--calibration']), (('--no-calibration',), None)):
        run(folder, 'predict.py', 'y.pth', '0.png', '--topk', '5', '--out-dir', 'out', *arguments)
        result = json.loads((folder / 'out/predictions.jsonl').read_text())
        wanted = scores['--no-calibration'] if expected is None else expected
        assert sorted(result['scores']) == pytest.approx(sorted(wanted[0]), abs=1e-4)
        assert result.get('calibrated', False) == (expected is not None)
    run(folder, 'train.py', 'c.py', '--work-dir', 'fine', '--cfg-options', 'load_from=y.pth')
    assert 'calibration' not in read_checkpoint(folder / 'fine/epoch_1.pth')['meta']
