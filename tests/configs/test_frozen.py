"""The heads of configs/evidence/frozen.yml: each builds on the frozen backbone and takes a step."""

import pytest
import torch
from _features import build_backbone, map_names
from _grid import make_rows
from mmpretrain.structures import DataSample

from mmmsf.checkpoint.loading import build_model
from tests.helpers.recipes import ROOT

GRID = ROOT / 'configs/evidence/frozen.yml'
COCO = ROOT / 'configs/_base_/linear_frozen-lite0_8e_coco-small-224px.py'
ROWS = {row.name: row.cfg for row in make_rows([GRID])}
COCO_ROWS = {
    row.name: row.cfg
    for row in make_rows([GRID], base=COCO, options={'model.head.num_classes': 80})
}


@pytest.mark.parametrize('name', ROWS)
def test_row_takes_a_step_without_its_backbone(name: str) -> None:
    pytest.importorskip('timm')
    cfg = ROWS[name]
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
    on_stage = name.endswith('-s32') or 'no-pooling' in name or name.startswith('msf')
    assert map_names(cfg.model.backbone)[-1] == ('4' if on_stage else 'final')


def test_rows_differ_in_head_maps_and_rate_alone() -> None:
    assert list(ROWS) == list(COCO_ROWS)
    for rows in (ROWS, COCO_ROWS):
        for cfg in rows.values():
            plain = cfg.to_dict()
            base = rows['linear'].to_dict()
            for config in (plain, base):
                for key in ('neck', 'head'):
                    config['model'].pop(key)
                for key in ('out_indices', 'with_final_map', 'frozen'):
                    config['model']['backbone'].pop(key)
                config['optim_wrapper']['optimizer'].pop('lr')
                config['optim_wrapper'].pop('paramwise_cfg', None)
            assert plain == base
    assert {cfg.model.head.num_classes for cfg in ROWS.values()} == {20}
    assert {cfg.model.head.num_classes for cfg in COCO_ROWS.values()} == {80}
