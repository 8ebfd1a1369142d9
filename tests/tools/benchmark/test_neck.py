"""The neck benchmark on sizes of seconds."""

import re
from pathlib import Path

import pytest

from tests.helpers.run_tool import run_tool

QUICK = ['--batch', '1', '--size', '96', '--embed-dims', '4', '--in-channels', '3', '5']


@pytest.mark.parametrize('mode', ['bilinear', 'bicubic', 'area', 'nearest'])
def test_layouts_and_matrices_agree(tmp_path: Path, mode: str) -> None:
    """The tool compares the results of all rows before it times them."""
    done = run_tool(tmp_path, 'benchmark/neck.py', *QUICK, '--rounds', '1', '--interpolation', mode)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('command: python benchmark/neck.py') and 'torch' in done.stdout
    rows = re.findall(r'^\| (scale attention|neck) \| (.+?) \| (.+?) \| [\d.]', done.stdout, re.M)
    assert len(rows) == len(set(rows)) == 2 * 3 * 2


def test_wrong_arguments(tmp_path: Path) -> None:
    done = run_tool(tmp_path, 'benchmark/neck.py', '--rounds', '0')
    assert done.returncode and 'must be at least 1' in done.stderr
