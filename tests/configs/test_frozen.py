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
    loss = model(torch.randn(2, 3, 96, 96), samples, mode='loss')['loss']
    loss.backward()
    assert torch.isfinite(loss)
    for key, p in model.named_parameters():
        assert (p.grad is not None) != key.startswith('backbone'), key
    last = map_names(cfg.model.backbone)[-1]
    assert last == ('4' if name.endswith('-s32') else 'final')


def test_rows_differ_in_head_maps_and_rate_alone() -> None:
    assert list(ROWS) == list(COCO_ROWS)
    assert len(ROWS) == 8
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
            assert plain == base
    assert {cfg.model.head.num_classes for cfg in ROWS.values()} == {20}
    assert {cfg.model.head.num_classes for cfg in COCO_ROWS.values()} == {80}
