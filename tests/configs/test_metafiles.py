"""The model index lists every recipe with the costs that the code gives and the runs that exist."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from _complexity import count_complexity, input_size
from _grid import make_rows
from mmengine.config import Config
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope

from mmmsf.checkpoint.loading import build_model
from tests.helpers.recipes import CONFIGS, GRID, ROOT, ROWS, load_recipe

INDEX = yaml.safe_load((ROOT / 'configs/model-index.yml').read_text())['Import']
CONTENT = [yaml.safe_load((ROOT / name).read_text()) for name in INDEX]
MODELS = [model for content in CONTENT for model in content['Models']]
PARAMETERS = {model['Config'].removeprefix('configs/'): model for model in MODELS}


def count(module: dict[str, Any] | None) -> int:
    """Count the parameters of a registered module."""
    if module is None:
        return 0
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return sum(p.numel() for p in ROOT_MODELS.build(module).parameters())


@lru_cache
def count_backbone(text: str) -> int:
    """Count the parameters of a backbone, given as JSON."""
    return count(json.loads(text))


def count_parameters(cfg: Config) -> int:
    """Count the parameters of a model; neck and head are built without memory."""
    model = cfg.model.to_dict()
    backbone = {key: x for key, x in model['backbone'].items() if key not in ('init_cfg', 'frozen')}
    with torch.device('meta'):
        parts = count(model.get('neck')) + count(model['head'])
    return parts + count_backbone(json.dumps(backbone))


def test_every_recipe_is_listed_once_under_its_name() -> None:
    listed = [model['Config'] for model in MODELS]
    assert len(listed) == len(set(listed))
    assert set(listed) == {f'configs/{name}' for name in CONFIGS}
    assert all(model['Name'] == Path(model['Config']).stem for model in MODELS)


def test_collections_exist() -> None:
    collections = {one['Name'] for content in CONTENT for one in content.get('Collections', [])}
    assert {model['In Collection'] for model in MODELS} == collections


@pytest.mark.parametrize('model', MODELS, ids=lambda model: model['Name'])
def test_results_come_with_a_run(model: dict) -> None:
    run = model['Metadata']['Training Run']
    assert run == 'not run' or run.startswith('seed')
    if run == 'not run':
        assert model['Results'] is None
    for result in model['Results'] or []:
        assert all(0 < value < 100 for value in result['Metrics'].values())
        folders = (Path(model['Config']).parent, 'configs/baselines')
        text = ''.join((ROOT / x / 'README.md').read_text(encoding='utf-8') for x in folders)
        assert f'{result["Metrics"]["mAP"]:.2f}' in text


@pytest.mark.parametrize('name', CONFIGS)
def test_parameters_are_those_of_the_config(name: str) -> None:
    assert count_parameters(load_recipe(name)) == PARAMETERS[name]['Metadata']['Parameters']


@pytest.mark.parametrize('model', MODELS, ids=lambda model: model['Name'])
def test_operations_are_those_of_the_model(model: dict) -> None:
    cfg = Config.fromfile(ROOT / model['Config'])
    network = build_model(cfg)
    count_complexity(network, (96, 96))  # position encodings read a buffer the first time
    cost = count_complexity(network.to('meta'), input_size(cfg))  # shapes without numbers
    assert cost.total_flops == model['Metadata']['FLOPs']


def test_parameters_of_the_grid() -> None:
    found = {name: count_parameters(load_recipe(name)) for name in ROWS}
    paper = PARAMETERS['msf/msf_resnet101_6xb21-80e_coco14-448px.py']['Metadata']['Parameters']
    same = ('bicubic', 'area', 'nearest', 'bce', 'no-hsa', 'init-none')
    assert {found[f'msf-{name}'] for name in same} == {paper}
    assert found['msf-gate'] == paper + 512


def test_parameters_printed_with_the_ablations_on_digits() -> None:
    lines = (GRID.parent / 'README.md').read_text(encoding='utf-8').splitlines()
    cells = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines]
    printed = {row[0]: row[8] for row in cells if len(row) == 12 and row[0].startswith('msf')}
    base = CONFIGS['msf/msf_resnet18_1xb16-5e_digits-hard-64px.py']
    names = ['table4', 'table5', 'table7', 'msf-gate']
    rows = make_rows([GRID], base=base, names=names)
    assert printed == {row.name: f'{count_parameters(row.cfg):,}' for row in rows}
