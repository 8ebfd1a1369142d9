"""A small model with random weights, saved as training saves it."""

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmmsf.checkpoint.loading import build_model

CLASSES = ('cat', 'dog', 'red bus', 'tree', 'cup')


def small_config(pipeline: list[dict[str, Any]] | None = None, **head: Any) -> Config:
    """A config with model and test pipeline; the maps have 8x8, 4x4 and 2x2 cells."""
    pipeline = pipeline or [
        dict(type='mmmsf.LoadImage'),
        dict(type='Resize', scale=(64, 64)),
        dict(type='PackInputs', algorithm_keys=('gt_area',)),
    ]
    return Config(
        dict(
            default_scope='mmpretrain',
            model=dict(
                type='ImageClassifier',
                data_preprocessor=dict(mean=[120.0] * 3, std=[60.0, 50.0, 40.0], to_rgb=True),
                backbone=dict(
                    type='ResNet_CIFAR',
                    depth=18,
                    base_channels=8,
                    stem_channels=8,
                    strides=(2, 2, 2, 2),
                    out_indices=(2, 3),
                ),
                neck=dict(type='mmmsf.MSFNeck', in_channels=[32, 64], embed_dims=16),
                head={
                    **dict(
                        type='mmmsf.MSFHead',
                        num_classes=len(CLASSES),
                        embed_dims=16,
                        num_heads=2,
                        feedforward_channels=16,
                    ),
                    **head,
                },
            ),
            test_dataloader=dict(
                batch_size=2,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                collate_fn=dict(type='default_collate'),
                dataset=dict(type='mmmsf.CsvMultiLabel', pipeline=pipeline),
            ),
        )
    )


def write_checkpoint(path: Path, cfg: Config | None = None, **meta: Any) -> Path:
    """Save a model of ``cfg`` with random weights and BatchNorm statistics, the same each time."""
    cfg = cfg or small_config()
    torch.manual_seed(0)
    model = build_model(cfg)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=CLASSES), **meta)
    torch.save(dict(meta=meta, state_dict=model.state_dict()), path)
    return path
