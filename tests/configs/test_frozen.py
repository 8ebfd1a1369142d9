"""The heads of configs/evidence/frozen.yml: each builds on the frozen backbone and takes a step."""

import pytest
import torch
from _features import build_backbone, map_names
from mmpretrain.structures import DataSample

from mmmsf.checkpoint.loading import build_model
from tests.helpers.recipes import ROOT, load_row, row_names

GRID = ROOT / 'configs/evidence/frozen.yml'
COCO = ROOT / 'configs/_base_/linear_frozen-lite0_8e_coco-small-224px.py'
ROWS = [None, *row_names(GRID)]


@pytest.mark.parametrize('name', ROWS)
def test_row_takes_a_step_without_its_backbone(name: str | None) -> None:
    pytest.importorskip('timm')
    cfg = load_row(GRID, name)
    build_backbone(cfg)  # refuses one that is trained
    model = build_model(cfg)
    model.train()
    score = torch.tensor([[1.0, -1.0, *[0.0] * 18]] * 2)
    samples = [DataSample().set_gt_score(x) for x in score]
    losses = model(torch.randn(2, 3, 96, 96), samples, mode='loss')
    loss = sum(value for key, value in losses.items() if key.startswith('loss'))
    loss.backward()
    assert torch.isfinite(loss)
    for key, p in model.named_parameters():
        assert (p.grad is not None) != key.startswith('backbone'), key
    row = name or ''
    on_stage = row.endswith('-s32') or 'no-pooling' in row or row.startswith('msf')
    assert map_names(cfg.model.backbone)[-1] == ('4' if on_stage else 'final')


@pytest.mark.parametrize('name', ROWS)
def test_row_differs_in_head_maps_and_rate_alone(name: str | None) -> None:
    for base, num_classes in ((None, 20), (COCO, 80)):
        options = {'model.head.num_classes': num_classes}
        configs = [load_row(GRID, x, base=base, options=options).to_dict() for x in (name, None)]
        for config in configs:
            for key in ('neck', 'head'):
                config['model'].pop(key)
            for key in ('out_indices', 'with_final_map', 'frozen'):
                config['model']['backbone'].pop(key)
            config['optim_wrapper']['optimizer'].pop('lr')
            config['optim_wrapper'].pop('paramwise_cfg', None)
        assert configs[0] == configs[1]
