"""Every head that keeps the contract trains, tests, predicts, exports and is explained."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmmsf.apis import LoadedModel, MultiLabelInferencer, load_model
from mmmsf.checkpoint.loading import build_model
from mmmsf.evaluation import Predictions
from mmmsf.models.heads.attention_maps import map_kind, predict_with_maps
from mmmsf.models.heads.calibration import Calibration, calibrate_head, calibrate_scores

from .helpers import own_head  # noqa: F401  registers MaxPoolHead
from .helpers.run_tool import run_tool
from .helpers.small_checkpoint import CLASSES, small_config
from .helpers.small_data import make_coco

pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')

from _page import _Page
from _photo import look

from mmmsf.deploy import OnnxClassifier

TRANSFORMER = dict(embed_dims=16, num_heads=2, feedforward_channels=16)
SINGLE = dict(in_channels=64, **TRANSFORMER)
# Head, neck, and the kind of its maps
HEADS: dict[str, tuple[dict[str, Any], dict[str, Any] | None, str | None]] = {
    'linear': (
        dict(type='MultiLabelLinearClsHead', in_channels=64),
        dict(type='GlobalAveragePooling'),
        'activation',
    ),
    'csra': (dict(type='CSRAClsHead', in_channels=64, num_heads=2, lam=0.1), None, 'activation'),
    'msf': (
        dict(type='mmmsf.MSFHead', num_encoder_layers=1, num_decoder_layers=1, **TRANSFORMER),
        dict(type='mmmsf.MSFNeck', in_channels=[32, 64], embed_dims=16),
        'attention',
    ),
    'msf-ours': (
        dict(
            type='mmmsf.MSFHead',
            profile='ours',
            pooling_channels=64,
            **{**TRANSFORMER, 'embed_dims': 32},
        ),
        dict(
            type='mmmsf.MSFNeck',
            profile='ours',
            in_channels=[32, 64],
            embed_dims=32,
            passthrough=True,
        ),
        'attention',
    ),
    'no decoder': (
        dict(type='mmmsf.MSFHead', num_encoder_layers=0, num_decoder_layers=0, **TRANSFORMER),
        dict(type='mmmsf.MSFNeck', in_channels=[32, 64], embed_dims=16),
        None,
    ),
    'q2l': (dict(type='mmmsf.Query2LabelHead', **SINGLE), None, 'attention'),
    'ml-decoder': (dict(type='mmmsf.MLDecoderHead', **SINGLE), None, 'attention'),
    'own': (dict(type='MaxPoolHead', in_channels=64), None, 'attention'),
}


def make_config(head: dict[str, Any], neck: dict[str, Any] | None, folder: Path) -> Config:
    """A config of a training of one epoch on four images."""
    cfg = small_config()
    cfg.model.head, cfg.model.neck = dict(num_classes=len(CLASSES), **head), neck
    loader = cfg.test_dataloader
    loader.dataset.update(
        type='mmmsf.CocoMultiLabel',
        data_root=str(folder / 'coco'),
        data_prefix='val2014',
        ann_file='annotations/instances_val2014.json',
        metainfo=dict(classes=CLASSES),
    )
    cfg.merge_from_dict(
        dict(
            custom_imports=dict(imports=['mmmsf', 'tests.helpers.own_head']),
            train_dataloader=loader,
            val_dataloader=loader,
            train_cfg=dict(by_epoch=True, max_epochs=1),
            val_cfg=dict(),
            test_cfg=dict(),
            val_evaluator=dict(type='mmmsf.MultiLabelMetric'),
            test_evaluator=dict(type='mmmsf.MultiLabelMetric'),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
            tta_model=dict(type='mmmsf.AverageScoreTTA'),
            custom_hooks=[
                dict(type='mmmsf.ClassCheckHook'),
                dict(type='mmmsf.ContactSheetHook'),
                dict(type='mmmsf.AttentionHook', num_images=1),
            ],
            visualizer=dict(
                type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')]
            ),
        )
    )
    return cfg


def call(folder: Path, tool: str, *arguments: str, code: int = 0) -> str:
    """Run a tool; return its output."""
    done = run_tool(folder, tool, *arguments)
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize('name', HEADS)
def test_every_tool(name: str, tmp_path: Path) -> None:
    head, neck, kind = HEADS[name]
    make_coco(tmp_path / 'coco', 'val', CLASSES)
    make_config(head, neck, tmp_path).dump(tmp_path / 'c.py')
    image = tmp_path / 'coco/val2014/COCO_val2014_000000000000.jpg'

    call(tmp_path, 'train.py', 'c.py', '--work-dir', 'run')
    drawn = list((tmp_path / 'run').rglob('attention_0*.png'))
    assert len(drawn) == (kind is not None)
    call(tmp_path, 'test.py', 'c.py', 'run/epoch_1.pth', '--out', 'p.npz')
    tuning = ('p.npz', '--checkpoint', 'run/epoch_1.pth', '--out', 't.pth', '--min-positives', '1')
    call(tmp_path, 'analysis/tune_thresholds.py', *tuning)
    call(tmp_path, 'test.py', 'c.py', 't.pth', '--thresholds', '--tta', '--work-dir', 'tta')

    loaded = load_model(tmp_path / 't.pth', device='cpu')
    assert (loaded.num_classes, loaded.classes) == (5, CLASSES)
    assert map_kind(loaded.model) == kind
    inferencer = MultiLabelInferencer(loaded)
    (result,) = inferencer(
        image, return_scores=True, return_attention=kind is not None, show_progress=False
    )
    expected = Predictions.load(tmp_path / 'p.npz').scores[0]
    np.testing.assert_allclose(result['all_scores'], expected, atol=1e-5)
    for maps in result.get('attention', ()):
        np.testing.assert_allclose(maps.sum(axis=(1, 2)), np.ones(5), atol=1e-5)

    predict = ('c.py', 't.pth', str(image), '--out-dir', 'out')
    call(tmp_path, 'predict.py', *predict)
    out = call(tmp_path, 'predict.py', *predict, '--attention', code=int(kind is None))
    assert ('has no attention' in out) == (kind is None)
    line = json.loads((tmp_path / 'out/predictions.jsonl').read_text())
    assert line['labels'] == result['labels'] and ('boxes' in line) == (kind is not None)

    call(tmp_path, 'deployment/export_onnx.py', 'c.py', 't.pth', '--out', 'm.onnx')
    exported = OnnxClassifier(tmp_path / 'm.onnx')
    np.testing.assert_allclose(exported(image)['all_scores'], expected, atol=1e-4)
    np.testing.assert_allclose(exported.thresholds, loaded.thresholds)

    seen = look(inferencer, image)
    assert bool(seen.maps) == (kind is not None)
    assert (_Page(loaded, None).attention(seen, 0, 'sum') is not None) == (kind is not None)

    explained = ('--attention-checkpoint', 't.pth', '--attention-config', 'c.py')
    out = call(tmp_path, 'analysis/report.py', 'p.npz', *explained, code=int(kind is None))
    assert ('has no attention' in out) == (kind is None)
    if kind is None:
        call(tmp_path, 'analysis/report.py', 'p.npz')
    assert (tmp_path / 'report.html').stat().st_size > 10_000


@pytest.mark.parametrize('name', HEADS)
def test_every_head_is_calibrated(name: str, tmp_path: Path) -> None:
    """Its scores, also beside its maps, which stay as they were."""
    head, neck, kind = HEADS[name]
    cfg = make_config(head, neck, tmp_path)
    model = build_model(cfg)
    images = torch.rand(2, 3, 64, 64)
    lines = Calibration(np.array([0.5, 1, 2, 3, 1]), np.array([-1.0, 0, 1, -2, 7]))
    found = []
    for calibrated in (False, True):
        if calibrated:
            calibrate_head(model.head, lines)
        scores = [sample.pred_score for sample in model(images, mode='predict')]
        maps = []
        if kind is not None:
            samples, maps = predict_with_maps(model, images)
            assert torch.equal(samples[1].pred_score, scores[1])
        found.append((torch.stack(scores).detach().numpy(), maps))
    np.testing.assert_allclose(found[1][0], calibrate_scores(found[0][0], lines), rtol=1e-4)
    assert all(torch.equal(*pair) for pair in zip(found[0][1], found[1][1], strict=True))


def test_a_wrong_number_of_classes_is_found_by_the_first_prediction(tmp_path: Path) -> None:
    cfg = make_config(*HEADS['own'][:2], tmp_path)
    model = build_model(cfg)
    loaded = LoadedModel(model, cfg, CLASSES[:4], np.full(4, 0.5, np.float32), {})
    with pytest.raises(ValueError, match='must give 4 logits .* got shape'):
        MultiLabelInferencer(loaded)(np.zeros((64, 64, 3), np.uint8), show_progress=False)
