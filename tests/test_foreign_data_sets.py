"""Data sets of MMPretrain through our hooks, metric and tools, and its metrics on our data sets."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator

from mmmsf.datasets import VOC_CLASSES
from mmmsf.engine.launch import build_runner, set_train_loop
from mmmsf.evaluation import Predictions
from mmmsf.evaluation.functional.average_precision import average_precision
from tests.helpers.run_tool import run_tool
from tests.helpers.small_checkpoint import small_config
from tests.helpers.small_data import build_dataset, make_voc

TARGETS = np.zeros((4, 20), int)
for row in range(4):
    TARGETS[row, [row, row + 1]] = 1  # of `make_voc`


def add_difficult(root: Path, split: str) -> None:
    """Mark class 15 of the first image, and class 1 of the second, as difficult too."""
    for i, k in ((0, 15), (1, 1)):
        path = root / f'Annotations/{split}_{i:06d}.xml'
        difficult = f'<object><name>{VOC_CLASSES[k]}</name><difficult>1</difficult></object>'
        path.write_text(path.read_text().replace('</annotation>', f'{difficult}</annotation>'))


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    root = tmp_path / 'VOC'
    for split in ('train', 'val'):
        make_voc(root, split)
        add_difficult(root, split)
        for i in range(4):  # of different scores: the order of ties matters to MMPretrain's AP
            pixels = np.random.default_rng(i).integers(0, 256, (48, 80, 3), dtype=np.uint8)
            cv2.imwrite(str(root / f'JPEGImages/{split}_{i:06d}.jpg'), pixels)
    return root


def foreign(kind: str, root: Path, split: str) -> tuple[dict[str, Any], np.ndarray]:
    """Write and name a data set of MMPretrain; return its config and its targets."""
    if kind == 'VOC':
        return dict(type='VOC', data_root=str(root), split=split), TARGETS
    names = [f'{split}_{i:06d}.jpg' for i in range(4)]
    common = dict(data_root=str(root), data_prefix='JPEGImages', ann_file=f'{split}.ann')
    if kind == 'MultiLabelDataset':
        items = [
            dict(img_path=name, gt_label=np.flatnonzero(row).tolist())
            for name, row in zip(names, TARGETS, strict=True)
        ]
        items[3]['gt_label'] = []
        meta = dict(classes=VOC_CLASSES)
        (root / f'{split}.ann').write_text(json.dumps(dict(metainfo=meta, data_list=items)))
        (root / f'{split}.ann').rename(root / f'{split}.json')
        common['ann_file'] = f'{split}.json'
        return dict(type=kind, **common), np.where(np.arange(4)[:, None] < 3, TARGETS, 0)
    (root / f'{split}.ann').write_text('\n'.join(f'{name} {i}' for i, name in enumerate(names)))
    return dict(type=kind, classes=VOC_CLASSES, **common), np.eye(4, 20, dtype=int)


def make_config(kind: str, root: Path) -> tuple[Config, np.ndarray]:
    cfg: Any = small_config(
        num_classes=20, loss=dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True)
    )
    targets = None
    for split in ('train', 'val'):
        dataset, targets = foreign(kind, root, split)
        dataset['pipeline'] = [
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=(64, 64)),
            dict(type='PackInputs'),
        ]
        cfg[f'{split}_dataloader'] = {**cfg.test_dataloader, 'dataset': dataset}
    cfg.test_dataloader = cfg.val_dataloader
    cfg.model.train_cfg = dict(augments=dict(type='Mixup', alpha=1.0))
    cfg.model.data_preprocessor.num_classes = 20
    cfg.train_cfg, cfg.val_cfg, cfg.test_cfg = dict(by_epoch=True, max_epochs=1), {}, {}
    cfg.optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
    cfg.val_evaluator = cfg.test_evaluator = [
        dict(type='mmmsf.MultiLabelMetric'),
        dict(type='AveragePrecision', prefix='theirs'),
        dict(type='MultiLabelMetric', thr=0.5, prefix='theirs'),
    ]
    cfg.default_hooks = dict(non_finite=dict(type='mmmsf.NonFiniteLossHook'))
    cfg.custom_hooks = [
        dict(type=f'mmmsf.{name}')
        for name in ('ClassCheckHook', 'ReportHook', 'ContactSheetHook', 'AttentionHook')
    ]
    cfg.visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
    cfg.work_dir = str(root.parent / 'work')
    cfg.log_level = 'ERROR'
    cfg.experiment_name = f'{kind}_{np.random.default_rng().integers(2**62)}'
    return cfg, targets


KINDS = [
    'VOC',
    *(pytest.param(x, marks=pytest.mark.slow) for x in ('MultiLabelDataset', 'CustomDataset')),
]


@pytest.mark.parametrize('kind', KINDS)
def test_training_and_evaluation(voc: Path, kind: str) -> None:
    cfg, targets = make_config(kind, voc)
    set_train_loop(cfg)
    runner = build_runner(cfg)
    runner.train()
    metrics = runner.val_loop.run()
    saved = Predictions.load(voc.parent / 'work/val/predictions.npz')
    np.testing.assert_array_equal(saved.targets, targets)
    ap = 100 * average_precision(saved.scores, saved.targets)
    assert metrics['multi-label/mAP'] == pytest.approx(np.nanmean(ap))
    assert metrics['theirs/mAP'] == pytest.approx(np.nan_to_num(ap).mean(), abs=1e-3)
    assert 'theirs/f1-score' in metrics
    assert (voc.parent / 'work/val/contact_sheet.png').is_file()


@pytest.mark.parametrize('kind', KINDS)
def test_tools(voc: Path, kind: str) -> None:
    cfg, targets = make_config(kind, voc)
    cfg.dump(voc.parent / 'c.py')
    done = run_tool(voc.parent, 'data/check_data.py', 'c.py')
    lines = [line.split() for line in done.stdout.splitlines()]
    for k in np.flatnonzero(targets.any(axis=0)):
        assert [VOC_CLASSES[k], str(targets[:, k].sum())] in [line[:2] for line in lines]
    sheet = voc.parent / 'sheets'
    done = run_tool(voc.parent, 'data/browse_dataset.py', 'c.py', '--out-dir', str(sheet))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (sheet / 'train_001.png').is_file()


@pytest.mark.parametrize('difficult', ['ignore', 'negative', 'positive'])
@pytest.mark.parametrize('name', ['AveragePrecision', 'VOCAveragePrecision'])
def test_average_precision_of_mmpretrain_on_our_voc(voc: Path, name: str, difficult: str) -> None:
    """Its VOC metrics treat difficult classes by an argument of their own, by default as ours."""
    data = build_dataset(
        'voc',
        voc,
        difficult=difficult,
        pipeline=[
            dict(type='mmmsf.LoadImage'),
            dict(type='PackInputs', meta_keys=('img_path', 'sample_idx', 'gt_label_difficult')),
        ],
    )
    samples = [data[i]['data_samples'] for i in range(4)]
    scores = torch.rand(4, 20, generator=torch.Generator().manual_seed(0))
    for sample, score in zip(samples, scores, strict=True):
        sample.set_pred_score(score)
    policy = 'ignore' if name.startswith('VOC') else difficult
    targets = TARGETS.copy()
    targets[0, 15] = dict(ignore=-1, negative=0, positive=1)[policy]
    if name.startswith('VOC') and difficult == 'positive':
        targets[0, 15] = 1  # its label is in `gt_label`, so not only difficult
    evaluator = Evaluator(
        [
            dict(type=f'mmpretrain.{name}', average=None),
            dict(type=f'mmpretrain.{"VOC" * name.startswith("VOC")}MultiLabelMetric', thr=0.5),
        ]
    )
    evaluator.process(samples)
    metrics = evaluator.evaluate(4)
    expected = 100 * average_precision(scores.numpy(), targets)
    got = np.array(metrics['multi-label/AP_classwise'])
    np.testing.assert_allclose(got, np.nan_to_num(expected), atol=1e-3)
    decided = (scores.numpy() >= 0.5) & (targets >= 0)
    precision = [
        (decided[:, k] & (targets[:, k] == 1)).sum() / max(1, decided[:, k].sum())
        for k in range(20)
    ]
    assert metrics['multi-label/precision'] == pytest.approx(100 * np.mean(precision), abs=1e-3)
