"""tools/benchmark/deployment.py on a graph of two operators."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.run_tool import run_tool

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')


def write_model(path: Path) -> None:
    """A model whose scores are the mean colours of the image."""
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node('GlobalAveragePool', ['images'], ['means']),
            helper.make_node('Flatten', ['means'], ['scores']),
        ],
        'means',
        [helper.make_tensor_value_info('images', real, ['batch', 3, 8, 8])],
        [helper.make_tensor_value_info('scores', real, ['batch', 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=10)
    meta = dict(
        format=1,
        classes=['r', 'g', 'b'],
        thresholds=[0.5] * 3,
        size=[8, 8],
        resize=dict(width=8, height=8, interpolation='bilinear'),
    )
    helper.set_model_props(model, dict(mmmsf=json.dumps(meta)))
    onnx.save(model, path)


def test_rates_of_the_whole_way_and_its_parts(tmp_path: Path) -> None:
    for folder in ('photos', 'none'):
        (tmp_path / folder).mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'photos/{number}.jpg')
    write_model(tmp_path / 'm.onnx')
    arguments = ('benchmark/deployment.py', 'm.onnx', '--images')
    done = run_tool(tmp_path, *arguments, 'photos', '--rounds', '2')
    assert done.returncode == 0, done.stderr
    rows = [line.split(' | ') for line in done.stdout.splitlines() if line.startswith('| m.onnx')]
    assert [row[2] for row in rows] == [
        'read, decode, resize',
        'network',
        'one after the other',
        'predict_many, 2 workers',
    ]
    assert all(row[1] == f'{(tmp_path / "m.onnx").stat().st_size:,}' for row in rows)
    assert all(float(row[3].split()[0]) > 0 for row in rows)
    assert 'command: python benchmark/deployment.py' in done.stdout and 'onnxruntime' in done.stdout

    done = run_tool(tmp_path, *arguments, 'none')
    assert done.returncode == 1 and 'must hold images' in done.stderr
    assert run_tool(tmp_path, *arguments, 'photos', '--rounds', '0').returncode == 2
