"""tools/analysis/pointing_game.py, run as a user would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.run_tool import run_tool
from tests.helpers.small_checkpoint import CLASSES, small_config, write_checkpoint
from tests.helpers.small_data import make_coco

ROOT = Path(__file__).resolve().parents[2]
TOOL = 'analysis/pointing_game.py'


def write_inputs(folder: Path) -> None:
    """Four images of two classes each, 80 x 48 px, their boxes 10 x 10 px in the corner."""
    make_coco(folder / 'coco', 'val', CLASSES)
    cfg = small_config()
    cfg.val_dataloader = cfg.test_dataloader
    cfg.val_dataloader.dataset.update(
        type='mmmsf.CocoMultiLabel',
        data_root='coco',
        data_prefix='val2014',
        test_mode=True,
        ann_file='annotations/instances_val2014.json',
    )
    cfg.val_evaluator = dict(type='mmmsf.MultiLabelMetric', size_thresholds=(50.0, 200.0))
    cfg.dump(folder / 'cfg.py')
    write_checkpoint(folder / 'model.pth', cfg)


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('pointing_game')
    write_inputs(folder)
    return folder


@pytest.mark.slow
def test_table(folder: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / 'tools' / TOOL),
            'cfg.py',
            'model.pth',
            '--batch-size',
            '3',
            '--figure',
            'maps.png',
            '--figure-pairs',
            '3',
        ],
        cwd=folder,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    rows = [
        [cell.strip() for cell in line.split('|')[1:-1]]
        for line in done.stdout.splitlines()
        if line.startswith('|')
    ][2:]
    assert [row[:3] for row in rows] == [
        [size, '8', name]
        for size in ('all', 'medium')
        for name in ('8 x 8', '4 x 4', '2 x 2', 'sum')
    ]
    assert {row[5] for row in rows} == {'2.6'}  # 10 x 10 of 80 x 48 px
    assert sum(float(row[6]) for row in rows[:3]) == pytest.approx(100, abs=0.2)
    assert '4 images.' in done.stdout
    assert (folder / 'maps.png').stat().st_size > 1000


def test_a_set_without_boxes_is_refused(folder: Path) -> None:
    (folder / 'list.csv').write_text('path,labels\nx.png,cat\n')
    done = run_tool(
        folder,
        TOOL,
        'cfg.py',
        'model.pth',
        '--cfg-options',
        'val_dataloader.dataset.type=mmmsf.CsvMultiLabel',
        'val_dataloader.dataset.data_root=.',
        'val_dataloader.dataset.ann_file=list.csv',
    )
    assert done.returncode == 1
    assert 'a CsvMultiLabel has no boxes' in done.stderr
