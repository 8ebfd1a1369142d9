"""tools/benchmark/evaluation.py on a tiny problem."""

import re
from pathlib import Path

import pytest

from tests.helpers.run_tool import run_tool

TOOL = 'benchmark/evaluation.py'


def test_it_prints_a_table_and_the_bytes(tmp_path: Path) -> None:
    done = run_tool(
        tmp_path, TOOL, '--images', '40', '--classes', '5', '--batch-size', '16', '--rounds', '2'
    )
    assert done.returncode == 0, done.stderr
    assert 'command: python tools/benchmark/evaluation.py' in done.stdout
    assert 'sklearn ' in done.stdout and '40 images x 5 classes' in done.stdout
    rows = re.findall(r'^\| (.+?) \| [\d.]+ \[.+\] \| ([\d.]+) \[.+\] \|$', done.stdout, re.M)
    assert [name for name, _ in rows] == [
        'average_precision_score, macro',
        'MultiLabelMetric.process, all batches',
        'MultiLabelMetric.evaluate, everything',
        'process + evaluate',
    ]
    assert float(rows[0][1]) == 1
    # float32 score, int8 target and size for each pair, int64 index for each image
    assert f'{(40 * 5 * 6 + 40 * 8) / 200:.2f} bytes a score' in done.stdout


def test_numbers_below_one_are_refused(tmp_path: Path) -> None:
    done = run_tool(tmp_path, TOOL, '--rounds', '0')
    assert done.returncode == 2 and '--rounds must be at least 1' in done.stderr


def test_held_bytes_of_views_are_those_of_the_owner() -> None:
    """A row that is a slice keeps the whole array alive."""
    import importlib.util
    from types import SimpleNamespace

    import numpy as np

    path = Path(__file__).resolve().parents[3] / 'tools' / TOOL
    spec = importlib.util.spec_from_file_location('benchmark_evaluation', path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    whole = np.zeros((10, 4), dtype=np.float32)
    metric = SimpleNamespace(results=[(whole[:1], np.zeros(3, dtype=np.int8))])
    assert module.held_bytes(metric) == pytest.approx(160 + 3)
