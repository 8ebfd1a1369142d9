"""tools/analysis/compare.py, run as a user would."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmmsf.evaluation import Predictions
from tests.helpers.run_tool import run_tool

TOOL = 'analysis/compare.py'
CLASSES = ('cat', 'dog', 'emu')


def make(seed: int, noise: float) -> Predictions:
    rng = np.random.default_rng(0)
    targets = (rng.random((200, 3)) < (0.4, 0.2, 0.02)).astype(np.int8)
    sizes = (targets * rng.integers(1, 3, targets.shape)).astype(np.int8)  # none is large
    scores = targets + noise * np.random.default_rng(seed).normal(size=targets.shape)
    names = np.array([f'{i}.jpg' for i in range(200)])
    return Predictions(names, np.array(CLASSES), scores.astype(np.float32), targets, sizes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make(1, 1.5).save(tmp_path / 'weak.npz')
    make(2, 0.5).save(tmp_path / 'strong.npz')
    make(3, 1.5).save(tmp_path / 'like.npz')
    return tmp_path


def table(stdout: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.split('|')[1:-1]]
        for line in stdout.splitlines()
        if line.startswith('|')
    ][2:]


def test_a_folder_is_one_model_with_its_mean(folder: Path) -> None:
    for run in ('strong', 'weak'):
        (folder / 'model' / run / 'val').mkdir(parents=True)
        (folder / f'{run}.npz').rename(folder / 'model' / run / 'val/predictions.npz')
    files = [f'model/{run}/val/predictions.npz' for run in ('strong', 'weak')]
    done = run_tool(folder, TOOL, 'like.npz', 'model', *files, '--resamples', '50')
    assert done.returncode == 0, done.stderr
    assert 'runs: 1, 2, 1, 1;' in done.stdout
    values = [float(row[3]) for row in table(done.stdout) if row[1] == 'mAP']
    assert values[0] == pytest.approx((values[1] + values[2]) / 2, abs=0.011)
    (folder / 'none').mkdir()
    empty = run_tool(folder, TOOL, 'like.npz', 'none')
    assert empty.returncode == 1 and 'none contains no predictions.npz' in empty.stderr


def test_a_run_that_has_not_ended_is_left_out(folder: Path) -> None:
    for name, run in (('strong', 'seed0'), ('weak', 'seed1')):
        (folder / 'model' / run / 'val').mkdir(parents=True)
        (folder / f'{name}.npz').rename(folder / 'model' / run / 'val/predictions.npz')
    (folder / 'model/seed0/result.json').write_text('{}')
    done = run_tool(folder, TOOL, 'like.npz', 'model', '--resamples', '5')
    assert done.returncode == 0, done.stderr
    assert 'left out, without a result.json: model/seed1\n' in done.stdout
    assert 'runs: 1, 1;' in done.stdout


def test_finds_the_better_run_and_not_a_like_one(folder: Path) -> None:
    done = run_tool(
        folder,
        TOOL,
        'weak.npz',
        'strong.npz',
        'like.npz',
        '--resamples',
        '200',
        '--min-positives',
        '10',
        '--csv',
        'out.csv',
    )
    assert done.returncode == 0, done.stderr
    rows = table(done.stdout)
    metrics = ['mAP', 'mAP_small', 'mAP_medium', 'CF1', 'OF1']
    assert [row[:2] for row in rows] == [
        [f'{run}.npz', metric] for run in ('strong', 'like') for metric in metrics
    ]
    strong, like = rows[0], rows[len(metrics)]
    assert float(strong[5]) > 0 and strong[7] == '1.000'
    assert float(strong[4]) == pytest.approx(float(strong[3]) - float(strong[2]), abs=0.011)
    assert float(like[5]) < 0 < float(like[6])
    assert (
        '200 images, 2 of 3 classes with at least 10 positive images; left out: emu ('
        in done.stdout
    )
    with open(folder / 'out.csv', encoding='utf-8', newline='') as file:
        assert list(csv.reader(file))[1:] == rows
    again = run_tool(
        folder,
        TOOL,
        'weak.npz',
        'strong.npz',
        '--resamples',
        '200',
        '--names',
        'a',
        'b',
        '--min-positives',
        '10',
    )
    assert [row[1:] for row in table(again.stdout)] == [row[1:] for row in rows[: len(metrics)]]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            lambda p: replace(p, names=np.roll(p.names, 1)),
            'other images than the first file, at posit',
        ),
        (lambda p: replace(p, classes=np.array(['cat', 'dog', 'elk'])), 'elk in place of emu'),
        (
            lambda p: replace(p, targets=1 - p.targets),
            'other targets than the first file: 0.jpg, cat',
        ),
        (lambda p: replace(p, sizes=p.sizes * 0), 'other sizes than the first file'),
        (
            lambda p: Predictions(
                p.names[:-1], p.classes, p.scores[:-1], p.targets[:-1], p.sizes[:-1]
            ),
            'has 199 images, the first file 200',
        ),
    ],
)
def test_other_data_is_refused(folder: Path, change, message: str) -> None:
    change(make(2, 0.5)).save(folder / 'other.npz')
    done = run_tool(folder, TOOL, 'weak.npz', 'other.npz')
    assert done.returncode == 1
    assert 'compare.py: other.npz' in done.stderr and message in done.stderr


def test_wrong_arguments(folder: Path) -> None:
    assert 'at least two files' in run_tool(folder, TOOL, 'weak.npz').stderr
    two = ('weak.npz', 'like.npz')
    assert 'needs 2 names' in run_tool(folder, TOOL, *two, '--names', 'a').stderr
    assert 'no such folder' in run_tool(folder, TOOL, *two, '--csv', 'no/x.csv').stderr
    assert '--level must be' in run_tool(folder, TOOL, *two, '--level', '95').stderr
    assert (
        'no class has 500 positives'
        in run_tool(folder, TOOL, *two, '--min-positives', '500').stderr
    )
    assert run_tool(folder, TOOL, 'weak.npz', 'none.npz').returncode == 1


def test_tuned_thresholds_compare_what_0_5_does_not(folder: Path) -> None:
    data = make(2, 0.5)
    replace(data, scores=data.scores / 8).save(folder / 'scaled.npz')
    found = {}
    for thr in ('0.5', 'tuned'):
        done = run_tool(folder, TOOL, 'strong.npz', 'scaled.npz', '--thr', thr, '--resamples', '20')
        assert done.returncode == 0, done.stderr
        found[thr] = {row[1]: float(row[4]) for row in table(done.stdout)}
    assert 'CF1, OF1 at thresholds tuned on the other half, 50 divisions' in done.stdout
    assert found['0.5']['CF1'] < -10 and found['0.5']['OF1'] < -10
    assert found['tuned']['CF1'] == found['tuned']['OF1'] == found['tuned']['mAP'] == 0


def test_frequent_and_rare_classes_are_compared_apart(folder: Path) -> None:
    rows = [
        f'{i}.jpg,{";".join(["cat"] + ["dog"] * (i < 5) + ["emu"] * (i < 2))}' for i in range(9)
    ]
    (folder / 'train.csv').write_text('\n'.join(['path,labels', *rows]))
    dataset = dict(
        type='mmmsf.CsvMultiLabel', ann_file=str(folder / 'train.csv'), classes=list(CLASSES)
    )
    (folder / 'config.py').write_text(f'train_dataloader = dict(dataset={dataset})')
    options = ('--frequency', 'config.py', '--frequency-bounds')
    command = ('weak.npz', 'strong.npz', '--resamples', '20', *options)
    done = run_tool(folder, TOOL, *command, '2', '5')
    assert done.returncode == 0, done.stderr
    assert 'over 5 in 1 classes (head), over 2 in 1 (middle), at most 2 in 1 (tail)' in done.stdout
    values = {row[1]: float(row[3]) for row in table(done.stdout)}
    parts = [values[f'mAP_{name}'] for name in ('head', 'middle', 'tail')]
    assert sum(parts) / 3 == pytest.approx(values['mAP'], abs=0.011)
    assert len(set(parts)) == 3
    done = run_tool(folder, TOOL, *command, '1', '5')
    assert 'mAP_tail' not in done.stdout, 'no class is that rare'
    for text, message in (
        ('', 'config.py must have a `train_dataloader`, got none'),
        (
            f"train_dataloader = dict(dataset=dict(type='RepeatDataset', times=2, dataset={dataset}"
            '))',
            'must be a dataset of mmmsf, which counts its labels, got RepeatDataset',
        ),
    ):
        (folder / 'config.py').write_text(text)
        done = run_tool(folder, TOOL, *command, '2', '5')
        assert done.returncode == 1 and message in done.stderr
    dataset['classes'] = ['dog', 'cat', 'emu']
    (folder / 'config.py').write_text(f'train_dataloader = dict(dataset={dataset})')
    done = run_tool(folder, TOOL, *command, '2', '5')
    assert done.returncode == 1 and 'the classes of config.py' in done.stderr
