"""Rows of configs/evidence/trained.yml and recipe.yml: each builds, and changes what it says."""

import pytest
import torch
from _features import build_backbone
from mmengine.optim import build_optim_wrapper
from mmpretrain.structures import DataSample

from mmmsf.checkpoint.loading import build_model
from tests.helpers.recipes import ROOT, load_row, row_names

TRAINED, RECIPE = (ROOT / f'configs/evidence/{name}.yml' for name in ('trained', 'recipe'))


@pytest.mark.parametrize('name', [None, *row_names(TRAINED)])
def test_row_trains_its_backbone_from_stride_16_on(name: str | None) -> None:
    pytest.importorskip('timm')
    cfg = load_row(TRAINED, name)
    model = build_model(cfg)
    model.train()
    rates = {
        id(group['params'][0]): group['lr']
        for group in build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    }
    score = torch.tensor([[1.0, -1.0, *[0.0] * 18]] * 8)
    samples = [DataSample().set_gt_score(x) for x in score]
    data = dict(inputs=torch.randint(0, 256, (8, 3, 64, 64)), data_samples=samples)
    losses = model(**model.data_preprocessor(data, training=True), mode='loss')
    sum(value for key, value in losses.items() if key.startswith('loss')).backward()
    for key, p in model.named_parameters():
        early = key.startswith(('backbone.timm_model.conv_stem', 'backbone.timm_model.bn1'))
        early |= any(key.startswith(f'backbone.timm_model.blocks.{i}.') for i in range(3))
        frozen = (early and name != 'ours-whole') or (
            name == 'ours-frozen' and key.startswith('backbone')
        )
        assert (p.grad is None) == frozen, key
        if not frozen:
            assert torch.isfinite(p.grad).all()
            assert (rates[id(p)] < 5e-4) == key.startswith('backbone'), key


@pytest.mark.parametrize(('name', 'first'), [(None, 3), ('ours-whole', 0)])
def test_the_stages_learn_more_slowly_towards_the_input(name: str | None, first: int) -> None:
    keys = load_row(TRAINED, name).optim_wrapper.paramwise_cfg.custom_keys
    rates = [keys[f'blocks.{i}'].lr_mult for i in range(first, 7)]
    assert rates == sorted(rates) and rates[-1] == keys['conv_head'].lr_mult
    if name == 'ours-whole':
        assert keys['conv_stem'].lr_mult == keys['bn1'].lr_mult == rates[0]


@pytest.mark.parametrize('name', row_names(RECIPE))
def test_row_changes_the_training_alone(name: str) -> None:
    pytest.importorskip('timm')
    cfg, base = (load_row(RECIPE, x) for x in (name, None))
    build_backbone(cfg)  # refuses one that is trained
    build_model(cfg)
    changed = {key for key in cfg if cfg[key] != base[key]}
    expected = {
        'class-aware': {'train_dataloader'},
        'no-average': {'custom_hooks'},
        '16e': {'param_scheduler', 'train_cfg', 'default_hooks'},
        '24e': {'param_scheduler', 'train_cfg', 'default_hooks'},
    }
    assert changed == expected.get(name, {'model'})
    network = [{**x.model.head, 'loss': None} for x in (cfg, base)]
    assert network[0] == network[1]
