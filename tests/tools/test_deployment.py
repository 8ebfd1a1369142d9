"""tools/deployment, run as a user would."""

from pathlib import Path

import pytest

from tests.helpers.small_checkpoint import small_config, write_checkpoint

from .test_tune_thresholds import make_data, run

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')

from mmmsf.deploy.onnx_classifier import OnnxClassifier
from mmmsf.deploy.quantize import read_meta


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a config c.py, a checkpoint and its exported model m.onnx."""
    folder = tmp_path_factory.mktemp('deployment')
    cfg = make_data(folder)
    cfg.model.head.update(num_encoder_layers=0, num_decoder_layers=1)
    cfg.val_dataloader, cfg.val_cfg = cfg.test_dataloader, dict()
    cfg.val_evaluator, cfg.train_dataloader = cfg.test_evaluator, cfg.test_dataloader
    cfg.dump(folder / 'c.py')
    write_checkpoint(folder / 'x.pth', cfg)
    out = run(folder, 'deployment/export_onnx.py', 'c.py', 'x.pth', '--out', 'm.onnx')
    assert 'm.onnx: 5 classes, 64 x 64 px' in out
    assert 'scores equal to the torch model within' in out
    return folder


@pytest.mark.slow
def test_the_exported_model_predicts(folder: Path) -> None:
    assert OnnxClassifier(folder / 'm.onnx')(folder / '0.png')['all_scores'].shape == (5,)


@pytest.mark.slow
def test_quantise_and_measure(folder: Path) -> None:
    out = run(
        folder,
        'deployment/quantize_onnx.py',
        'm.onnx',
        'c.py',
        '--out',
        'q.onnx',
        '--num-images',
        '3',
    )
    assert 'q.onnx: calibrated with 3 training images (seed 0)' in out
    for name, file in (('fp32', 'm.onnx'), ('int8', 'q.onnx')):
        line = next(line for line in out.splitlines() if line.startswith(f'{name}: mAP'))
        assert f'on 4 validation images, {(folder / file).stat().st_size:,} bytes' in line
    assert read_meta(folder / 'q.onnx')['int8'] is True


def test_what_does_not_fit_leaves_no_file(folder: Path) -> None:
    small_config().dump(folder / 'other.py')
    out = run(folder, 'deployment/export_onnx.py', 'other.py', 'x.pth', '--out', 'n.onnx', code=1)
    assert 'nothing written: the weights of x.pth do not fit the config' in out
    out = run(
        folder,
        'deployment/export_onnx.py',
        'c.py',
        'x.pth',
        '--out',
        'n.onnx',
        '--dynamic-size',
        code=1,
    )
    assert 'nothing written: the position tables' in out
    assert not (folder / 'n.onnx').exists()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--out', 'm.pth'), '--out must end in .onnx'),
        (('--out', 'm.onnx', '--opset', '9'), '--opset must be at least 18'),
        (('--out', 'm.onnx', '--size', '0', '8'), '--size must be positive'),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    assert message in run(
        tmp_path, 'deployment/export_onnx.py', 'c.py', 'x.pth', *arguments, code=2
    )
