"""The tool that writes the report page."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mmmsf.report import page as report_page
from tests.helpers.small_predictions import make_mixed as make

TOOL = Path(__file__).resolve().parents[2] / 'tools/analysis/report.py'


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(TOOL), *arguments],
        cwd=folder,
        text=True,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        capture_output=True,
        timeout=120,
    )


@pytest.mark.slow
def test_two_runs_side_by_side(tmp_path: Path) -> None:
    make(folder=tmp_path).save(tmp_path / 'one.npz')
    make(seed=1).save(tmp_path / 'two.npz')
    done = run(
        tmp_path,
        'one.npz',
        'two.npz',
        '--names',
        'first',
        'second',
        '--image-root',
        '.',
        '--out',
        'pages/report.html',
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / 'pages/report.html').read_text(encoding='utf-8')
    assert '<h1>Evaluation: first, second</h1>' in page
    assert 'data:image/jpeg' in page
    assert 'image not\nreadable' not in page
    assert len(page) < 2_000_000
    sections = re.findall(r'<h2 id="(\w+)"', report_page.TEMPLATE)
    shown = re.findall(r'<h2 id="(\w+)"', page)
    assert shown == [name for name in sections if name != 'groups']


@pytest.mark.slow
def test_errors_are_one_line(tmp_path: Path) -> None:
    make().save(tmp_path / 'one.npz')
    replace(make(), targets=1 - abs(make().targets)).save(tmp_path / 'two.npz')
    done = run(tmp_path, 'one.npz', 'two.npz')
    assert done.returncode == 1
    assert 'error: one and two cannot be compared: their targets differ' in done.stderr
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'report.html').exists()


def test_wrong_arguments_are_refused_first(tmp_path: Path) -> None:
    assert '--names needs 1 names, got 2' in run(tmp_path, 'x.npz', '--names', 'a', 'b').stderr
    assert '--image-root none is no folder' in run(tmp_path, 'x.npz', '--image-root', 'none').stderr
