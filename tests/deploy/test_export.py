"""Exported graphs against the torch model."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch.testing import assert_close

from mmmsf.apis import load_model
from mmmsf.checkpoint.loading import LoadedModel, build_model
from mmmsf.deploy.export import META_KEY, export_onnx, pipeline_resize
from mmmsf.deploy.export_check import onnx_input, torch_scores
from mmmsf.deploy.export_trace import trace_onnx
from mmmsf.deploy.score_model import AnySizePositions, ScoreModel
from mmmsf.models.layers import LearnedPositionEncoding
from tests.helpers.small_checkpoint import CLASSES, small_config, write_checkpoint
from tests.models.backbones.test_backbones import BACKBONES

LOAD, PACK = dict(type='mmmsf.LoadImage'), dict(type='PackInputs')


def make_model(folder: Path, cfg: Config | None = None, trained: bool = True) -> LoadedModel:
    """A small model; ``trained``: one that knows the map sizes of 64-px images."""
    loaded = load_model(
        write_checkpoint(folder / 'x.pth', cfg, thresholds=[0.1, 0.2, 0.3, 0.4, 0.5]), device='cpu'
    )
    if trained:
        position = loaded.model.head.position
        position.trained_grid.copy_(torch.tensor([[8, 8], [4, 4], [2, 2]]))
        position._grid = None
    return loaded


@pytest.fixture(scope='module')
def images(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp('images')
    for i in range(2):
        pixels = np.random.default_rng(i).integers(0, 255, (48, 80, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{i}.png'), pixels)
    return [str(folder / '0.png'), str(folder / '1.png')]


def batch(size: tuple[int, int], count: int = 2) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (count, *size, 3), dtype=np.uint8)


LAYERS = dict(num_encoder_layers=1, num_decoder_layers=1)


@pytest.fixture(scope='module')
def fixed(
    tmp_path_factory: pytest.TempPathFactory, images: list[str]
) -> tuple[LoadedModel, Path, dict[str, Any]]:
    """A model, its file for 64-px images and what the export returned."""
    for name in ('onnx', 'onnxscript', 'onnxruntime'):
        pytest.importorskip(name)
    folder = tmp_path_factory.mktemp('fixed')
    loaded = make_model(folder, small_config(**LAYERS), trained=False)
    return loaded, folder / 'new/m.onnx', export_onnx(loaded, folder / 'new/m.onnx', files=images)


@pytest.fixture
def traced(
    fixed: tuple[LoadedModel, Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> LoadedModel:
    """The model; its slow export is replaced by a copy of its file."""
    monkeypatch.setattr(
        'mmmsf.deploy.export.trace_onnx',
        lambda graph, size, any_size, opset, path: shutil.copy(fixed[1], path),
    )
    return fixed[0]


def test_score_model_is_the_test_run() -> None:
    cfg = small_config()
    for to_rgb in (True, False):
        cfg.model.data_preprocessor.to_rgb = to_rgb
        torch.manual_seed(0)
        model = build_model(cfg)
        graph = ScoreModel(model)
        with torch.no_grad():
            got = graph(torch.from_numpy(onnx_input(batch((64, 64))))).numpy()
        assert_close(got, torch_scores(model, batch((64, 64))), rtol=0, atol=1e-6)


def test_positions_of_any_size_are_the_interpolated_ones() -> None:
    torch.manual_seed(0)
    position = LearnedPositionEncoding(8, 2, 10).train()
    position([(6, 5), (3, 2)])  # the trained size
    free = AnySizePositions(position.eval())
    for shapes in ([(6, 5), (3, 2)], [(12, 4), (1, 9)], [(40, 30), (6, 7)]):
        assert_close(free(shapes), position(shapes))
    with pytest.raises(ValueError, match='must store the map size'):
        AnySizePositions(LearnedPositionEncoding(8, 2, 10))


@pytest.mark.slow
def test_a_fixed_size_file(fixed: tuple[LoadedModel, Path, dict[str, Any]]) -> None:
    import onnx
    import onnxruntime

    loaded, path, meta = fixed
    assert meta['difference'] < 1e-5
    assert [p.name for p in path.parent.iterdir()] == ['m.onnx']
    proto = onnx.load(path)
    stored = json.loads({p.key: p.value for p in proto.metadata_props}[META_KEY])
    assert stored['classes'] == list(CLASSES)
    assert stored['thresholds'] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert stored['size'] == [64, 64]
    assert stored['resize'] == dict(width=64, height=64, interpolation='bilinear', backend='cv2')
    assert stored['folded']['std'] == [60.0, 50.0, 40.0]
    assert 'BatchNormalization' not in {node.op_type for node in proto.graph.node}
    assert b'site-packages' not in path.read_bytes() and b'mmmsf/' not in path.read_bytes()
    session = onnxruntime.InferenceSession(str(path))
    assert session.get_inputs()[0].shape == ['batch', 3, 64, 64]
    for count in (1, 2, 5):
        data = batch((64, 64), count)
        scores = session.run(['scores'], {'images': onnx_input(data)})[0]
        assert_close(scores, torch_scores(loaded.model, data), rtol=0, atol=1e-5)
    with pytest.raises(Exception, match='invalid dimensions'):
        session.run(None, {'images': onnx_input(batch((64, 80)))})


@pytest.mark.parametrize(
    'options',
    [
        LAYERS,
        dict(
            LAYERS,
            position_mode='attention',
            query_mode='attention',
            decoder_self_attn='all',
            share_branches=False,
        ),
    ],
)
@pytest.mark.slow
def test_a_free_size_file(tmp_path: Path, images: list[str], options: dict[str, Any]) -> None:
    pytest.importorskip('onnxscript')
    onnxruntime = pytest.importorskip('onnxruntime')
    loaded = make_model(tmp_path, small_config(**options))
    meta = export_onnx(loaded, tmp_path / 'm.onnx', dynamic_size=True, files=images)
    assert meta['size'] is None
    session = onnxruntime.InferenceSession(str(tmp_path / 'm.onnx'))
    assert session.get_inputs()[0].shape == ['batch', 3, 'height', 'width']
    for count, size in ((1, (64, 64)), (3, (96, 72)), (2, (41, 130)), (1, (33, 32))):
        data = batch(size, count)
        scores = session.run(None, {'images': onnx_input(data)})[0]
        assert_close(scores, torch_scores(loaded.model, data), rtol=0, atol=1e-5)


def test_a_free_size_is_refused_where_it_cannot_be(tmp_path: Path, images: list[str]) -> None:
    pytest.importorskip('onnxscript')
    out = tmp_path / 'm.onnx'
    with pytest.raises(ValueError, match='export a fixed size'):
        export_onnx(make_model(tmp_path, trained=False), out, dynamic_size=True, files=images)
    cfg = small_config(**LAYERS)
    cfg.model.neck.interpolation = 'area'  # adaptive pooling has no ONNX form for any size
    with pytest.raises(ValueError, match="interpolation='area' has no ONNX form"):
        export_onnx(make_model(tmp_path, cfg), out, dynamic_size=True, files=images)
    assert [p.name for p in tmp_path.iterdir()] == ['x.pth']


def test_a_size_of_ones_own_changes_the_resize(traced: LoadedModel, tmp_path: Path) -> None:
    meta = export_onnx(traced, tmp_path / 'm.onnx', (48, 80), check=False)
    assert meta['size'] == [48, 80] and meta['difference'] is None
    assert meta['resize'] == dict(width=80, height=48, interpolation='bilinear', backend='cv2')


def test_without_a_resize_the_first_image_gives_the_size(
    traced: LoadedModel, tmp_path: Path, images: list[str]
) -> None:
    loaded = dataclasses.replace(traced, cfg=small_config([LOAD, PACK]))
    meta = export_onnx(loaded, tmp_path / 'm.onnx', files=images, check=False)
    assert meta['size'] == [48, 80] and meta['resize'] is None


def test_other_scores_leave_no_file(
    traced: LoadedModel, tmp_path: Path, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        'mmmsf.deploy.export_check.torch_scores',
        lambda model, images: torch_scores(model, images) + np.float32(2e-4),
    )
    with pytest.raises(ValueError, match=r'must differ by at most 1e-04, they differ by 2\.00e-04'):
        export_onnx(traced, tmp_path / 'm.onnx', files=images)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_export_is_one_clear_error(
    fixed: tuple[LoadedModel, Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError('pages\nof text')

    monkeypatch.setattr(torch.onnx, 'export', fail)
    with pytest.raises(
        ValueError,
        match=r'cannot export this model with a fixed image size and '
        r'opset 18 \(pages\)',
    ):
        export_onnx(fixed[0], tmp_path / 'm.onnx', (64, 64), check=False)
    assert list(tmp_path.iterdir()) == []


def test_pipelines() -> None:
    resize = dict(type='Resize', scale=(32, 16), interpolation='bicubic')
    assert pipeline_resize([LOAD, resize, PACK]) == dict(
        width=32, height=16, interpolation='bicubic', backend='cv2'
    )
    assert pipeline_resize([LOAD, dict(type='mmpretrain.Resize', scale=8), PACK]) == dict(
        width=8, height=8, interpolation='bilinear', backend='cv2'
    )
    assert pipeline_resize([LOAD, dict(resize, backend='pillow'), PACK])['backend'] == 'pillow'
    assert pipeline_resize([dict(type='LoadImageFromFile'), PACK]) is None
    for wrong in (
        [LOAD, dict(type='CenterCrop', crop_size=8), PACK],
        [LOAD, dict(resize, keep_ratio=True), PACK],
        [LOAD, resize, resize, PACK],
        [LOAD, dict(resize, backend='tifffile'), PACK],
        [dict(type='LoadImageFromFile', imdecode_backend='pillow'), PACK],
        [dict(LOAD, to_float32=True), PACK],
    ):
        with pytest.raises(ValueError, match='the test pipeline has the step'):
            pipeline_resize(wrong)


def test_models_that_cannot_be_exported() -> None:
    cfg = small_config()
    cfg.model.data_preprocessor.pad_size_divisor = 32
    with pytest.raises(ValueError, match='`pad_size_divisor` .* must be 1, got 32'):
        ScoreModel(build_model(cfg))
    cfg = small_config()
    cfg.model.head = dict(type='ClsHead')
    with pytest.raises(ValueError, match='must be a MultiLabelClsHead.* got ClsHead'):
        ScoreModel(build_model(cfg))


@pytest.mark.slow
def test_torch_export_with_a_free_batch(tmp_path: Path) -> None:
    loaded = make_model(tmp_path, small_config(**LAYERS))
    graph = ScoreModel(loaded.model)
    images = torch.from_numpy(onnx_input(batch((64, 64), 5)))
    with torch.no_grad():
        expected = graph(images)  # also fills the caches of the position encoding
        program = torch.export.export(
            graph, (images[:2],), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)
        ).module()
        for count in (1, 3, 5):
            assert_close(program(images[:count]), expected[:count], rtol=0, atol=1e-6)


@pytest.mark.skipif(
    shutil.which('c++') is None and shutil.which('g++') is None,
    reason='torch.compile needs a C++ compiler',
)
@pytest.mark.slow
def test_torch_compile(tmp_path: Path) -> None:
    cfg = small_config(num_encoder_layers=0, num_decoder_layers=1)
    graph = ScoreModel(make_model(tmp_path, cfg).model)
    images = torch.from_numpy(onnx_input(batch((64, 64))))
    with torch.no_grad():
        assert_close(torch.compile(graph)(images), graph(images), rtol=0, atol=1e-5)


class MeanColor(torch.nn.Module):
    """A model whose batch size is a Python number, as in Swin's window_reverse, or is not."""

    def __init__(self, number: bool) -> None:
        super().__init__()
        self.number = number

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        count = int(images.shape[0] / 1.0) if self.number else images.shape[0]
        return (images.view(count, 3, 8, -1) / 255).mean(dim=(2, 3))


@pytest.mark.parametrize('number', [True, False])
def test_a_batch_that_tracing_makes_a_constant_is_one_image(tmp_path: Path, number: bool) -> None:
    pytest.importorskip('onnxscript')
    onnxruntime = pytest.importorskip('onnxruntime')
    model = MeanColor(number).eval()
    assert trace_onnx(model, (8, 8), False, 18, tmp_path / 'm.onnx') is not number
    session = onnxruntime.InferenceSession(str(tmp_path / 'm.onnx'))
    images = torch.rand(3, 3, 8, 8) * 255
    parts = images.split(1) if number else [images]
    got = np.concatenate([session.run(None, {'images': part.numpy()})[0] for part in parts])
    assert_close(got, images.mean(dim=(2, 3)).numpy() / 255)
    assert session.get_inputs()[0].shape[0] == 1 or not number


EXPORTED = sorted(BACKBONES.keys() - {'resnext50'})  # it has ResNet's layers
# A block of each kind; a trace takes seconds a block.
SHALLOW: dict[str, dict[str, Any]] = dict(
    convnext_tiny=dict(depths=[1, 1, 1, 1], channels=[96, 192, 384, 768]),
    swin_tiny=dict(embed_dims=96, depths=[1, 1, 2, 1], num_heads=[3, 6, 12, 24]),
    vit_single_map=dict(embed_dims=192, num_layers=2, num_heads=3, feedforward_channels=768),
)


@pytest.mark.slow
@pytest.mark.parametrize('name', EXPORTED)
def test_every_backbone_exports_with_the_batch_that_it_allows(
    tmp_path: Path, images: list[str], name: str
) -> None:
    """Swin's file was wrong for every batch but that of the trace."""
    onnxruntime = pytest.importorskip('onnxruntime')
    if name == 'timm':
        pytest.importorskip('timm')
    backbone, channels = BACKBONES[name]
    cfg: Any = small_config(num_encoder_layers=0, num_decoder_layers=1)
    cfg.model.backbone = dict(backbone, **(dict(arch=SHALLOW[name]) if name in SHALLOW else {}))
    cfg.model.neck.in_channels = channels
    loaded = make_model(tmp_path, cfg, trained=False)
    path = tmp_path / 'm.onnx'
    meta = export_onnx(loaded, path, files=images)  # compares with torch
    assert meta['difference'] < 1e-5
    assert meta['batch'] == (1 if name == 'swin_tiny' else None)
    session = onnxruntime.InferenceSession(str(path))
    assert session.get_inputs()[0].shape[0] == (meta['batch'] or 'batch')
    for count in (1,) if meta['batch'] else (1, 3):
        pictures = batch((64, 64), count)
        got = session.run(None, {'images': onnx_input(pictures)})[0]
        assert_close(got, torch_scores(loaded.model, pictures), rtol=0, atol=1e-5)
