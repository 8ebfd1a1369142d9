from pathlib import Path

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample

from mmmsf.apis import load_model
from mmmsf.models.heads.calibration import Calibration, calibrate_scores
from tests.helpers.small_checkpoint import CLASSES, small_config, write_checkpoint

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')

from mmmsf.deploy.export import export_onnx  # noqa: E402
from mmmsf.deploy.export_check import onnx_input, torch_scores  # noqa: E402
from mmmsf.deploy.onnx_classifier import OnnxClassifier  # noqa: E402
from mmmsf.deploy.quantize import mean_ap, open_session, quantize_onnx, read_meta  # noqa: E402
from mmmsf.evaluation.functional import average_precision  # noqa: E402

CALIBRATION = dict(slopes=[0.7, 2.0, 1.5, 2.0, 1.2], offsets=[-0.5, 0.5, 1.0, -1.0, 0.5])
THRESHOLDS = [0.5, 0.4, 0.6, 0.5, 0.45]
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a calibrated model in float32 (m.onnx) and in int8 (q.onnx)."""
    folder = tmp_path_factory.mktemp('quantize')
    cfg = small_config(num_encoder_layers=0, num_decoder_layers=1)
    checkpoint = write_checkpoint(
        folder / 'x.pth', cfg, calibration=CALIBRATION, thresholds=THRESHOLDS
    )
    loaded = load_model(checkpoint, device='cpu')
    export_onnx(loaded, folder / 'm.onnx', (64, 64), check=False)
    quantize_onnx(folder / 'm.onnx', folder / 'new/q.onnx', iter(IMAGES))
    return folder


@pytest.mark.slow
def test_the_calibration_is_in_both_graphs_in_float32(folder: Path) -> None:
    raw = load_model(folder / 'x.pth', device='cpu', calibrated=False)
    slopes, offsets = CALIBRATION.values()
    expected = calibrate_scores(
        torch_scores(raw.model, IMAGES), Calibration(np.array(slopes), np.array(offsets))
    )
    for name, tolerance in (('m.onnx', 1e-5), ('new/q.onnx', 0.1)):
        classifier = OnnxClassifier(folder / name)
        scores = classifier.session.run(None, {'images': onnx_input(IMAGES)})[0]
        np.testing.assert_allclose(scores, expected, atol=tolerance)
        loaded = load_model(folder / 'x.pth', device='cpu')
        np.testing.assert_array_equal(classifier.thresholds, loaded.thresholds)
        result = classifier(IMAGES[0])
        assert classifier.calibrated and result['calibrated'] is True
    proto = onnx.load(folder / 'new/q.onnx')
    made_by = {output: node for node in proto.graph.node for output in node.output}
    kinds = {'Sigmoid', 'Where', 'Add', 'Sub', 'Log', 'Min', 'Max', 'Mul', 'Log1p'}
    found, ahead = set(), [made_by[proto.graph.output[0].name]]
    while ahead:
        step = ahead.pop()
        if step.op_type in kinds:
            found.add(step.op_type)
            ahead += [made_by[x] for x in step.input if x in made_by]
    assert {'Sigmoid', 'Add', 'Mul'} <= found


def test_int8_is_close_to_float32_and_not_equal(folder: Path) -> None:
    scores = [
        open_session(folder / name).run(None, {'images': onnx_input(IMAGES)})[0]
        for name in ('m.onnx', 'new/q.onnx')
    ]
    difference = np.abs(scores[0] - scores[1])
    assert 0 < difference.max() < 0.1
    assert difference.mean() < 0.02


def test_weights_are_int8_per_channel_and_meta_data_are_kept(folder: Path) -> None:
    proto = onnx.load(folder / 'new/q.onnx')
    nodes = [node.op_type for node in proto.graph.node]
    assert {'QuantizeLinear', 'DequantizeLinear'} <= set(nodes)
    int8 = [
        item
        for item in proto.graph.initializer
        if item.data_type == onnx.TensorProto.INT8 and len(item.dims) == 4
    ]
    scales = {item.name: item.dims for item in proto.graph.initializer}
    assert len(int8) == nodes.count('Conv')
    assert all(
        list(scales[item.name.replace('_quantized', '_scale')]) == [item.dims[0]] for item in int8
    )
    matrices = [
        item
        for item in proto.graph.initializer
        if item.data_type == onnx.TensorProto.INT8
        and item.name.endswith('_quantized')
        and item not in int8
    ]
    assert matrices and all(  # a scale for each output
        list(scales[item.name.replace('_quantized', '_scale')]) == [item.dims[-1]]
        and len(item.dims) == 2
        for item in matrices
    )
    assert read_meta(folder / 'new/q.onnx') == {**read_meta(folder / 'm.onnx'), 'int8': True}
    assert [p.name for p in (folder / 'new').iterdir()] == ['q.onnx']
    assert OnnxClassifier(folder / 'new/q.onnx')(IMAGES[0])['all_scores'].shape == (len(CLASSES),)


def test_mean_ap_is_that_of_the_torch_model(folder: Path) -> None:
    targets = torch.from_numpy(
        np.random.default_rng(1).choice([-1, 0, 1], (len(IMAGES), len(CLASSES)))
    )
    dataset = [
        dict(
            inputs=torch.from_numpy(image).permute(2, 0, 1),
            data_samples=DataSample().set_gt_score(target.float()),
        )
        for image, target in zip(IMAGES, targets, strict=True)
    ]
    scores = torch_scores(load_model(folder / 'x.pth', device='cpu').model, IMAGES)
    for count in (None, 8):
        ap = average_precision(scores[:count], targets[:count].numpy())
        assert mean_ap(folder / 'm.onnx', dataset, count, 1) == pytest.approx(
            100 * np.nanmean(ap), abs=1e-3
        )


def test_rare_classes_are_left_out(folder: Path) -> None:
    targets = torch.zeros(len(IMAGES), len(CLASSES))
    targets[:6, 0] = targets[:2, 1] = 1
    dataset = [
        dict(
            inputs=torch.from_numpy(image).permute(2, 0, 1),
            data_samples=DataSample().set_gt_score(target),
        )
        for image, target in zip(IMAGES, targets, strict=True)
    ]
    scores = torch_scores(load_model(folder / 'x.pth', device='cpu').model, IMAGES)
    ap = 100 * average_precision(scores, targets.numpy())
    for least, expected in ((1, ap[:2].mean()), (3, ap[0])):
        got = mean_ap(folder / 'm.onnx', dataset, threads=1, min_positives=least)
        assert got == pytest.approx(expected, abs=1e-3)


def test_activations_merge_into_their_convolutions(folder: Path) -> None:
    """A range that includes what ReLU removes would waste half of the int8 values."""
    proto = onnx.load(folder / 'new/q.onnx')
    assert 'Relu' in {node.op_type for node in onnx.load(folder / 'm.onnx').graph.node}
    readers = {name: node.op_type for node in proto.graph.node for name in node.input}
    after = [readers[node.output[0]] for node in proto.graph.node if node.op_type == 'Conv']
    assert 'Relu' not in after


def test_wrong_inputs(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='at least one image'):
        quantize_onnx(folder / 'm.onnx', tmp_path / 'q.onnx', [])
    with pytest.raises(FileNotFoundError, match='there is no model'):
        quantize_onnx(tmp_path / 'none.onnx', tmp_path / 'q.onnx', IMAGES)
    (tmp_path / 'x.onnx').write_bytes(b'hello')
    with pytest.raises(ValueError, match=r'x\.onnx is not an ONNX model'):
        quantize_onnx(tmp_path / 'x.onnx', tmp_path / 'q.onnx', IMAGES)
    proto = onnx.load(folder / 'm.onnx')
    del proto.metadata_props[:]
    onnx.save(proto, tmp_path / 'x.onnx')
    with pytest.raises(ValueError, match='no metadata of this package'):
        quantize_onnx(tmp_path / 'x.onnx', tmp_path / 'q.onnx', IMAGES)
    assert [p.name for p in tmp_path.iterdir()] == ['x.onnx']
