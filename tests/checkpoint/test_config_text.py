from pathlib import Path

import pytest
from mmengine.config import Config
from mmpretrain.registry import MODELS

from mmmsf.checkpoint.config_text import config_from_text

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


@pytest.mark.parametrize(
    'name',
    [
        'msf/msf_resnet101_6xb21-80e_coco14-448px.py',
        'msf/msf_resnet18_1xb16-10e_digits-64px.py',
        'baselines/q2l_resnet101_6xb21-80e_voc07-448px.py',
    ],
)
def test_what_a_training_writes_comes_back(name: str) -> None:
    cfg = Config.fromfile(CONFIGS / name)
    assert config_from_text(cfg.pretty_text).to_dict() == cfg.to_dict()


def test_values_of_all_kinds() -> None:
    text = "a = dict(b=[1, -2.5, (3, 'x')], c={'type': 'ReLU', 7: None})\nd = {1, 2}\ne = True\n"
    assert config_from_text(text).to_dict() == dict(
        a=dict(b=[1, -2.5, (3, 'x')], c={'type': 'ReLU', 7: None}), d={1, 2}, e=True
    )


def test_keys_that_are_no_names_come_back() -> None:
    cfg = Config(dict(keys={'head.pooling': dict(lr_mult=10.0), 'a b': {'c-d': [1]}}))
    assert config_from_text(cfg.pretty_text).to_dict() == cfg.to_dict()


@pytest.mark.parametrize(
    'text',
    [
        'import os',
        "a = __import__('os')",
        'a = open',
        'a = dict(b=dict(**{}))',
        'a = b = 1',
        "a = dict([('b', 1)])",
        'a = dict({}, {})',
        'a = dict({**{}})',
        'a = dict({}, b=1)',
        "a = dict({'b': open})",
        'a.b = 1',
        'a, b = 1, 2',
        'a = [x for x in ()]',
        "a = f'{1}'",
        'a = {**{}}',
        'a: int = 1',
        'a = 2 * 3',
        'a = list(b=1)',
        'a = dict(b=(lambda: 1)())',
    ],
)
def test_programs_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match='line 1: `.*` is not'):
        config_from_text(text)


@pytest.mark.parametrize(
    'text',
    [
        'a = (',
        'a = 1\0',
        'a = {[]: 1}',
        'filename = 1',
        'a = ' + '-' * 3000 + '1',
        'a = ' + '[' * 5000,
        'a = {dict(): 1}',
        "a = dict(default_scope=['x'])",
    ],
)
def test_damaged_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        config_from_text(text)


@pytest.mark.parametrize(
    'kind',
    [
        'this',  # any top-level module: MMEngine would import it
        'os.system',
        'mmengine.dump',
        'mmengine.load',
        'mmpretrain.apis.get_model',
        'torch.load',
        'mmmsf.',
        '.ReLU',
        7,
        ['ReLU'],
    ],
)
def test_types_outside_the_registries_are_refused(kind: object) -> None:
    with pytest.raises(ValueError, match='is in no registry'):
        config_from_text(f'model = dict(head=[dict(type={kind!r})])')


@pytest.mark.parametrize('key', ['default_scope', '_scope_'])
def test_unknown_scopes_are_refused(key: str) -> None:
    assert config_from_text(f"a = dict({key}='mmpretrain')").a[key] == 'mmpretrain'
    with pytest.raises(ValueError, match=f"{key}='evil' is the scope of no registry"):
        config_from_text(f"a = dict({key}='evil')")


def test_a_component_of_the_user_passes_once_it_is_registered() -> None:
    text = "model = dict(type='MyNetOfThisTest')"
    with pytest.raises(ValueError, match='import the module that registers it first'):
        config_from_text(text)
    MODELS.register_module('MyNetOfThisTest', module=dict)
    try:
        assert config_from_text(text).model.type == 'MyNetOfThisTest'
    finally:
        MODELS.module_dict.pop('MyNetOfThisTest')


@pytest.mark.parametrize('name', ['Mixup', 'mmpretrain.CutMix', 'mmmsf.SpliceMix'])
def test_batch_augmentations_have_a_registry_of_their_own(name: str) -> None:
    augment = f"model = dict(train_cfg=dict(augments=[dict(type='{name}')]))"
    assert config_from_text(augment).model.train_cfg.augments[0].type == name
