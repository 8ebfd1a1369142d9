"""The heads of configs/evidence/frozen.yml: each builds on the frozen backbone and takes a step."""

import pytest
import torch
from _features import build_backbone, map_names
from _grid import make_rows
from mmpretrain.structures import DataSample

from mmmsf.checkpoint.loading import build_model
from tests.helpers.recipes import ROOT, load_row, row_names

GRID = ROOT / 'configs/evidence/frozen.yml'
COCO = ROOT / 'configs/_base_/linear_frozen-lite0_8e_coco-small-224px.py'


@pytest.mark.parametrize('name', [None, *row_names(GRID)])
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


def test_rows_differ_in_head_maps_and_rate_alone() -> None:
    rows_of = {
        20: make_rows([GRID]),
        80: make_rows([GRID], base=COCO, options={'model.head.num_classes': 80}),
    }
    assert [row.name for row in rows_of[20]] == [row.name for row in rows_of[80]]
    for num_classes, rows in rows_of.items():
        assert {row.cfg.model.head.num_classes for row in rows} == {num_classes}
        for row in rows:
            plain, base = row.cfg.to_dict(), rows[0].cfg.to_dict()
            for config in (plain, base):
                for key in ('neck', 'head'):
                    config['model'].pop(key)
                for key in ('out_indices', 'with_final_map', 'frozen'):
                    config['model']['backbone'].pop(key)
                config['optim_wrapper']['optimizer'].pop('lr')
                config['optim_wrapper'].pop('paramwise_cfg', None)
            assert plain == base
