"""tools/predict.py, run as a user would."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.run_tool import run_tool
from tests.helpers.small_checkpoint import small_config, write_checkpoint

ROOT = Path(__file__).resolve().parents[2]
ODD = 'odd, "name";\r\n\x1b[2J.png'


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images with equal and odd names, and one that is cut short."""
    folder = tmp_path_factory.mktemp('predict')
    rng = np.random.default_rng(0)
    for name in ('a/x.png', 'b/x.png', f'b/{ODD}'):
        path = folder / 'in' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (30, 50, 3), dtype=np.uint8)).save(path)
    (folder / 'in/broken.png').write_bytes((folder / 'in/a/x.png').read_bytes()[:300])
    write_checkpoint(folder / 'model.pth')
    small_config().dump(folder / 'cfg.py')
    return folder


@pytest.fixture(scope='module')
def done(folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [
            sys.executable,
            str(ROOT / 'tools/predict.py'),
            'cfg.py',
            'model.pth',
            'in',
            '--out-dir',
            'out',
            '--attention',
            '--batch-size',
            '2',
        ],
        cwd=folder,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
        timeout=120,
    )


def lines_of(folder: Path, out: str) -> list[dict]:
    return [
        json.loads(line)
        for line in (folder / out / 'predictions.jsonl').read_text().split('\n')[:-1]
    ]


def test_what_cannot_be_read_is_named_and_the_rest_is_done(
    folder: Path, done: subprocess.CompletedProcess
) -> None:
    assert done.returncode == 1
    assert 'not labelled: in/broken.png: ' in done.stderr.splitlines()[-1]
    assert '3 of 4 images labelled' in done.stdout
    assert ['error' in line for line in lines_of(folder, 'out')] == [False, False, False, True]


def test_tables_survive_odd_names(folder: Path, done: subprocess.CompletedProcess) -> None:
    with open(folder / 'out/predictions.csv', newline='', encoding='utf-8') as file:
        header, *rows = list(csv.reader(file))
    assert header == ['path', 'labels', 'scores']
    assert [row[0] for row in rows] == ['in/a/x.png', f'in/b/{ODD}', 'in/b/x.png']
    for row, line in zip(rows, lines_of(folder, 'out')[:3], strict=True):
        assert line['path'] == row[0]
        assert [label for label in row[1].split(';') if label] == line['labels']
        scores = [float(score) for score in row[2].split(';') if score]
        np.testing.assert_allclose(scores, line['scores'], atol=1e-4)
        assert len(line['boxes']) == len(line['labels'])


def test_every_image_has_a_picture(folder: Path, done: subprocess.CompletedProcess) -> None:
    names = sorted(path.name for path in (folder / 'out/pictures').iterdir())
    assert names == ['000000_x.png', '000001_odd_name_2J.png', '000002_x.png']


def test_a_checkpoint_alone_is_enough(folder: Path, done: subprocess.CompletedProcess) -> None:
    found = run_tool(
        folder,
        'predict.py',
        'model.pth',
        'in/a/*.png',
        'in/b/x.png',
        '--out-dir',
        'alone',
        '--topk',
        '2',
    )
    assert found.returncode == 0, found.stderr
    first, second = lines_of(folder, 'alone')
    assert len(first['labels']) == len(second['labels']) == 2 and 'boxes' not in first
    expected = lines_of(folder, 'out')[0]
    count = min(2, len(expected['scores']))
    np.testing.assert_allclose(first['scores'][:count], expected['scores'][:count], atol=1e-5)
    run_tool(
        folder, 'predict.py', '-', 'model.pth', '--out-dir', 'dash', '--thr', '1.0', 'in/a/x.png'
    )
    assert lines_of(folder, 'dash')[0]['labels'] == []


@pytest.mark.parametrize(
    ('arguments', 'code', 'message'),
    [
        (('cfg.py', 'model.pth', '--out-dir', 'x'), 2, 'name a checkpoint and at least one image'),
        (('model.pth', 'in', '--out-dir', 'in/out'), 2, 'must lie outside the input folder in'),
        (
            ('model.pth', 'in', '--out-dir', 'x', '--topk', '0'),
            2,
            '--topk must be at least 1, got 0',
        ),
        (('none.pth', 'in', '--out-dir', 'x'), 1, 'predict.py: there is no checkpoint none.pth'),
    ],
)
def test_wrong_arguments(folder: Path, arguments: tuple, code: int, message: str) -> None:
    found = run_tool(folder, 'predict.py', *arguments)
    assert found.returncode == code and message in found.stderr
    assert not (folder / 'x').exists()
