"""The model index lists every recipe with counts that the code still gives."""

from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from mmmsf.checkpoint.loading import build_model
from _complexity import count_complexity

ROOT = Path(__file__).resolve().parents[2]
FILES = yaml.safe_load((ROOT / 'configs/model-index.yml').read_text())['Import']
MODELS = [model for name in FILES for model in yaml.safe_load((ROOT / name).read_text())['Models']]


def test_every_recipe_is_listed_once_under_its_name() -> None:
    recipes = {
        str(path.relative_to(ROOT))
        for folder in ('msf', 'baselines')
        for path in (ROOT / 'configs' / folder).glob('*.py')
    }
    listed = [model['Config'] for model in MODELS]
    assert len(listed) == len(set(listed))
    assert set(listed) == recipes
    assert all(model['Name'] == Path(model['Config']).stem for model in MODELS)


def test_collections_exist() -> None:
    collections = {
        one['Name']
        for name in FILES
        for one in yaml.safe_load((ROOT / name).read_text())['Collections']
    }
    assert {model['In Collection'] for model in MODELS} == collections


@pytest.mark.parametrize('model', MODELS, ids=lambda model: model['Name'])
def test_parameters_are_what_the_config_builds(model: dict) -> None:
    built = build_model(Config.fromfile(ROOT / model['Config']))
    assert sum(p.numel() for p in built.parameters()) == model['Metadata']['Parameters']
    assert model['Metadata']['FLOPs'] > 0


@pytest.mark.parametrize(
    'model', [m for m in MODELS if 'digits' in m['Name']], ids=lambda model: model['Name']
)
def test_operations_are_what_the_model_does(model: dict) -> None:
    cost = count_complexity(build_model(Config.fromfile(ROOT / model['Config'])), (64, 64))
    assert cost.total_flops == model['Metadata']['FLOPs']
