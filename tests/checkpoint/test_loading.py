from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mmmsf.apis import load_model
from mmmsf.checkpoint.files import read_checkpoint, write_checkpoint
from mmmsf.checkpoint.loading import build_model
from tests.helpers.small_checkpoint import CLASSES, small_config
from tests.helpers.small_checkpoint import write_checkpoint as write_small


@pytest.fixture(scope='module')
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small(tmp_path_factory.mktemp('loading') / 'x.pth')


def rewrite(path: Path, out: Path, **meta: Any) -> Path:
    """A copy with other meta data; a value of None takes the entry out."""
    found = read_checkpoint(path)
    merged = {key: value for key, value in {**found['meta'], **meta}.items() if value is not None}
    write_checkpoint(out, {**found, 'meta': merged})
    return out


def test_the_checkpoint_alone_is_enough(path: Path) -> None:
    loaded = load_model(path, device='cpu')
    assert loaded.classes == CLASSES
    assert loaded.thresholds.dtype == np.float32 and loaded.thresholds.tolist() == [0.5] * 5
    assert not loaded.model.training
    assert loaded.pipeline[0]['type'] == 'mmmsf.LoadImage'
    state = read_checkpoint(path)['state_dict']
    assert_close(dict(loaded.model.state_dict()), dict(state), rtol=0, atol=0)


def test_a_named_config_comes_first(path: Path, tmp_path: Path) -> None:
    cfg = small_config(thr=0.25)
    assert load_model(path, cfg, 'cpu').thresholds.tolist() == [0.25] * 5
    cfg.dump(tmp_path / 'c.py')
    assert load_model(path, tmp_path / 'c.py', 'cpu').thresholds.tolist() == [0.25] * 5
    with pytest.raises(FileNotFoundError):
        load_model(path, tmp_path / 'none.py')


def test_stored_thresholds_come_before_the_heads(path: Path, tmp_path: Path) -> None:
    stored = [0.1, 0.2, 0.3, 0.4, 0.5]
    out = rewrite(path, tmp_path / 'x.pth', thresholds=stored)
    assert load_model(out, device='cpu').thresholds.tolist() == pytest.approx(stored)
    for wrong in (stored[:4], [[0.5]] * 5, [float('nan')] * 5):
        with pytest.raises(ValueError, match='must be 5 finite numbers'):
            load_model(rewrite(path, out, thresholds=wrong), device='cpu')


@pytest.mark.parametrize('key', ['classes', 'CLASSES'])
def test_class_names_from_meta_data_config_or_numbers(path: Path, tmp_path: Path, key: str) -> None:
    names = list('vwxyz')
    out = rewrite(path, tmp_path / 'x.pth', dataset_meta={key: names})
    assert load_model(out, device='cpu').classes == tuple('vwxyz')
    bare = rewrite(path, tmp_path / 'y.pth', dataset_meta=None)
    assert load_model(bare, device='cpu').classes == tuple('01234')
    cfg = small_config()
    cfg.test_dataloader.dataset.metainfo = dict(classes=names)
    assert load_model(bare, cfg, 'cpu').classes == tuple('vwxyz')
    with pytest.raises(ValueError, match='names 2 classes, its model has 5'):
        load_model(rewrite(path, out, dataset_meta=dict(classes=['a', 'b'])), device='cpu')


def test_safetensors_load_as_well(path: Path, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / 'x.safetensors', read_checkpoint(path))
    one, two = load_model(path, device='cpu'), load_model(tmp_path / 'x.safetensors', device='cpu')
    assert one.classes == two.classes
    assert_close(dict(one.model.state_dict()), dict(two.model.state_dict()), rtol=0, atol=0)


def test_weights_that_do_not_fit_are_named(path: Path) -> None:
    with pytest.raises(ValueError, match=r'other shape: .*fc\.weight'):
        load_model(path, small_config(num_classes=4), 'cpu')
    with pytest.raises(ValueError, match=r'left over: head\.decoders'):
        load_model(path, small_config(num_decoder_layers=0), 'cpu')
    with pytest.raises(ValueError, match=r'missing: .*decoders'):
        load_model(path, small_config(num_decoder_layers=4), 'cpu')


def test_nothing_is_fetched() -> None:
    cfg = small_config()
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint='/none/x.pth')
    cfg.model.pretrained = 'https://none.invalid/x.pth'
    model = build_model(cfg)
    assert model.init_cfg is None and model.backbone.init_cfg != cfg.model.backbone.init_cfg
    assert not model.training


def test_hostile_and_missing_configs(path: Path, tmp_path: Path) -> None:
    out = rewrite(path, tmp_path / 'x.pth', cfg="model = __import__('os').mkdir('owned')")
    with pytest.raises(ValueError, match=r'the config in .*x\.pth: line 1'):
        load_model(out)
    with pytest.raises(ValueError, match='carries no config'):
        load_model(rewrite(path, out, cfg=None))
    with pytest.raises(FileNotFoundError, match='there is no checkpoint'):
        load_model(tmp_path / 'none.pth')


def test_a_config_without_a_test_set_has_no_pipeline(path: Path) -> None:
    cfg = small_config()
    cfg.pop('test_dataloader')
    loaded = load_model(path, cfg, torch.device('cpu'))
    with pytest.raises(ValueError, match='no `test_dataloader`'):
        _ = loaded.pipeline
