"""tools/benchmark/distributed.py, run as a user would on a network of seconds."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.run_tool import TOOLS

CONFIG = TOOLS.parent / 'configs/msf/msf_resnet18_1xb16-10e_digits-64px.py'
TOOL = TOOLS / 'benchmark/distributed.py'


@pytest.mark.slow
def test_two_processes(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            '-m',
            'torch.distributed.run',
            '--nproc_per_node=2',
            '--master_port=0',
            '--rdzv-backend=c10d',
            '--rdzv-endpoint=localhost:0',
            str(TOOL),
            str(CONFIG),
            '--size',
            '32',
            '--rounds',
            '2',
        ],
        cwd=tmp_path,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    rows = [
        [cell.strip() for cell in line.split('|')[1:-1]]
        for line in done.stdout.splitlines()
        if line.startswith('|')
    ]
    assert [row[0] for row in rows[2:]] == [
        'step, gradients kept',
        'step, gradients shared',
        'all-reduce alone',
    ]
    assert rows[2][2].startswith('1.00')
    found = re.search(
        r'2 processes, ([\d,]+) bytes of gradients \(float32\), ([\d,]+) bytes sent', done.stdout
    )
    assert found is not None
    gradients, sent = (int(number.replace(',', '')) for number in found.groups())
    assert gradients == sent > 4_000_000  # a ring of two sends as much as there is


def test_it_says_how_to_start_it(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != 'LOCAL_RANK'}
    done = subprocess.run(
        [sys.executable, str(TOOL), str(CONFIG)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert 'start it with python -m torch.distributed.run' in done.stderr
