"""The growth benchmark on a model and sizes of seconds."""

import csv
import re
from pathlib import Path

import cv2
import pytest

from tests.helpers.run_tool import run_tool
from tests.helpers.small_checkpoint import small_config

TOOL = 'benchmark/growth.py'
PLAIN, GROUPED = 'a query for each class', '8 group queries'


def growth(folder: Path, *arguments: str) -> tuple[list[dict[str, str]], str]:
    """Rows of growth.csv, and the text of growth.md."""
    cfg = small_config(num_encoder_layers=1, num_decoder_layers=1)
    cfg.optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-4))
    cfg.dump(folder / 'tiny_x.py')
    done = run_tool(
        folder,
        TOOL,
        'tiny_x.py',
        '--base',
        '1',
        '64',
        '4',
        '--groups',
        '8',
        '--threads',
        '1',
        '--out',
        'out',
        *arguments,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f'command: python {TOOL} tiny_x.py') and 'torch' in done.stdout
    assert cv2.imread(str(folder / 'out/growth.png')) is not None
    with open(folder / 'out/growth.csv', newline='') as file:
        return list(csv.DictReader(file)), (folder / 'out/growth.md').read_text()


@pytest.mark.slow
def test_one_setting_grows_at_a_time(tmp_path: Path) -> None:
    rows, table = growth(
        tmp_path,
        '--what',
        'train',
        '--batch',
        '1',
        '3',
        '--px',
        '64',
        '96',
        '--classes',
        '4',
        '300',
        '--passes',
        '1',
    )
    seen = [(row['model'], row['batch'], row['px'], row['classes']) for row in rows]
    assert seen == [
        (PLAIN, '1', '64', '4'),
        (PLAIN, '3', '64', '4'),
        (PLAIN, '1', '64', '4'),
        (PLAIN, '1', '96', '4'),
        (PLAIN, '1', '64', '4'),
        (PLAIN, '1', '64', '300'),
        (GROUPED, '1', '64', '300'),
    ]
    flops = [int(row['flops']) for row in rows]
    memory = [int(row['memory_bytes']) for row in rows]
    assert flops[1] == 3 * flops[0]
    for cost in (flops, memory):
        assert cost[1] > cost[0] and cost[3] > cost[2] and cost[5] > cost[6] > cost[4]
    assert re.search(r'\| train \| a query for each class \| 3 \| [\d.]+ \| 3\.00 \|', table)


@pytest.mark.slow
def test_every_pass_adds_a_time_to_every_point(tmp_path: Path) -> None:
    rows, _ = growth(
        tmp_path, '--what', 'inference', '--batch', '1', '2', '--px', '--classes', '--passes', '2'
    )
    assert [(row['what'], row['batch']) for row in rows] == [('inference', '1'), ('inference', '2')]
    assert all(len(row['seconds'].split()) == 2 for row in rows)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--classes', '0'], 'must be at least 1'),
        (['nothing.py', '--batch', '--px', '--classes', '2'], 'nothing.py'),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = run_tool(tmp_path, TOOL, *arguments)
    assert done.returncode and message in done.stderr
