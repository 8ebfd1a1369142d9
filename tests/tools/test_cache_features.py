"""Features of a frozen backbone: training and validation on them equal those on the images."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from _features import build_backbone, map_names, use_features, write_network
from _folds import hold_out
from _grid import Row
from _results import config_hash
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import DATASETS, DefaultScope

from mmmsf.checkpoint.files import read_checkpoint
from mmmsf.checkpoint.loading import LoadedModel, build_model
from mmmsf.datasets.readers.feature_store import FeatureStore
from mmmsf.engine.fast_forward import FastForward, FastOptions
from mmmsf.engine.resume.seeding import SAMPLE, seed_generators
from tests.helpers.run_tool import run_tool
from tests.helpers.small_training import make_training_data

SEED = 3
BACKBONE = dict(
    type='ResNet',
    depth=18,
    stem_channels=8,
    base_channels=8,
    out_indices=(2, 3),
    frozen_stages=4,
)
HEAD = dict(
    type='CSRAClsHead',
    num_classes=5,
    in_channels=64,
    num_heads=1,
    lam=0.1,
    loss=dict(type='mmmsf.AsymmetricLoss'),
)
PIPELINE = [
    dict(type='mmmsf.LoadImage'),
    dict(type='RandomResizedCrop', scale=64),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]


@pytest.fixture
def cfg(tmp_path: Path) -> Config:
    """One epoch on crops of four images, not shuffled, from stored weights; tested on 96 px."""
    cfg = make_training_data(tmp_path, epochs=1)
    cfg.model.backbone, cfg.model.neck, cfg.model.head = dict(BACKBONE), None, dict(HEAD)
    cfg.custom_hooks = [dict(type='mmmsf.ReportHook')]
    whole = [PIPELINE[0], dict(type='Resize', scale=(96, 96)), PIPELINE[-1]]
    cfg.val_dataloader.dataset.pipeline = cfg.test_dataloader.dataset.pipeline = whole
    cfg.train_dataloader = cfg.train_dataloader.to_dict()
    cfg.train_dataloader.dataset.update(pipeline=PIPELINE, test_mode=False)
    cfg.train_dataloader.sampler = dict(type='DefaultSampler', shuffle=False)
    cfg.randomness = dict(seed=0)
    cfg.load_from = str(tmp_path / 'init.pth')
    torch.manual_seed(0)
    model = build_model(cfg)
    for x in model.modules():
        if isinstance(x, torch.nn.BatchNorm2d):  # statistics that matter
            x.running_mean.normal_()
            x.running_var.uniform_(0.5, 2)
    torch.save(dict(state_dict=model.state_dict()), cfg.load_from)
    cfg.dump(tmp_path / 'c.py')
    return cfg


def cache(folder: Path, *options: str) -> Any:
    return run_tool(
        folder, 'analysis/cache_features.py', 'c.py', '--out', 'f', '--seed', str(SEED), *options
    )


def train(folder: Path, cfg: Config, name: str) -> dict[str, Any]:
    """Train with the command-line tool; return weights of the head and metrics."""
    cfg.dump(folder / f'{name}.py')
    done = run_tool(folder, 'train.py', f'{name}.py', '--work-dir', name, '--seed', str(SEED))
    assert done.returncode == 0, done.stderr
    (path,) = (folder / name).glob('epoch_1.pth')
    state = read_checkpoint(path)['state_dict']
    return {key: x for key, x in state.items() if key.startswith('head')}


def test_logits_on_features_equal_logits_on_images(tmp_path: Path, cfg: Config) -> None:
    done = cache(tmp_path, '--dtype', 'float32', '--batch-size', '3')
    assert done.returncode == 0, done.stderr
    features = use_features(cfg, tmp_path / 'f')
    logits = []
    for one in (cfg, features):
        model = build_model(one)
        state = read_checkpoint(cfg.load_from)['state_dict']
        model.load_state_dict({k: x for k, x in state.items() if k in model.state_dict()})
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            dataset = DATASETS.build(one.val_dataloader.dataset)
        batch = default_collate([dataset[i] for i in range(len(dataset))])
        with torch.no_grad():
            logits.append(model(model.data_preprocessor(batch)['inputs'], mode='tensor'))
    torch.testing.assert_close(logits[1], logits[0], rtol=1e-5, atol=1e-5)
    assert logits[0].std(dim=0).min() > 1e-3


@pytest.mark.slow
def test_held_features_are_those_of_the_validation_pipeline(tmp_path: Path, cfg: Config) -> None:
    """Here the two splits have the same images; the training pipeline would crop them."""
    assert cache(tmp_path, '--splits', 'val', 'held', 'train').returncode == 0
    held, val, train = (FeatureStore(tmp_path / 'f' / x) for x in ('held', 'val', 'train'))
    assert held.index.names == val.index.names
    np.testing.assert_array_equal(held.records, val.records)
    assert held.index.map_shapes != train.index.map_shapes
    (tmp_path / 'f/val/index.json').unlink()
    one = use_features(hold_out(cfg), tmp_path / 'f', val='held')
    assert one.val_dataloader.dataset.features == one.test_dataloader.dataset.features
    model = build_model(one)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(one.val_dataloader.dataset)
    batch = default_collate([dataset[i] for i in range(2)])
    with pytest.raises(ValueError, match='mmmsf.CachedFeatures without one'):
        _ = LoadedModel(model, one, (), np.zeros(0, np.float32), {}).pipeline
    fast = FastForward(model, FastOptions()).test_step(batch)
    for found, expected in zip(fast, model.test_step(batch), strict=True):
        torch.testing.assert_close(found.pred_score, expected.pred_score)


@pytest.mark.slow
def test_training_on_features_equals_training_on_images(tmp_path: Path, cfg: Config) -> None:
    done = cache(tmp_path, '--dtype', 'float32', '--batch-size', '3')
    assert done.returncode == 0, done.stderr
    images = train(tmp_path, cfg, 'images')
    features = train(tmp_path, use_features(cfg, tmp_path / 'f'), 'features')
    before = read_checkpoint(cfg.load_from)['state_dict']
    for key, x in images.items():
        torch.testing.assert_close(features[key], x, rtol=1e-5, atol=1e-6)
        assert not torch.allclose(before[key], x, atol=1e-3), 'nothing was learned'
    (tmp_path / 'network').mkdir()
    for name in ('last_checkpoint', 'epoch_1.pth'):
        shutil.copy(tmp_path / 'features' / name, tmp_path / 'network')
    write_network(Row('', Config(), images=cfg), tmp_path / 'network')
    network = ['network/network.py', 'network/network.pth']
    done = run_tool(tmp_path, 'test.py', *network, '--work-dir', 'network')
    assert done.returncode == 0, done.stderr
    one, *others = (
        (tmp_path / name / 'per_class.csv').read_text()
        for name in ('images/val', 'features/val', 'network/test')
    )
    assert others == [one, one]


def test_views_are_those_of_the_pipeline(tmp_path: Path, cfg: Config) -> None:
    """View v of image i has the random numbers of epoch v in a training without shuffling."""
    assert cache(tmp_path, '--views', '2', '--dtype', 'float32').returncode == 0
    store = FeatureStore(tmp_path / 'f/train')
    assert store.index.record_shape == (4, 2, 32 * 4 * 4 + 64 * 2 * 2)
    assert store.index.map_names == ['2', '3']
    backbone = build_model(cfg)
    backbone.load_state_dict(read_checkpoint(cfg.load_from)['state_dict'])
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
    for image, view in ((0, 0), (2, 1), (3, 0)):
        seed_generators(SAMPLE, view, image, SEED)
        batch = backbone.data_preprocessor(dict(inputs=dataset[image]['inputs'][None]))
        with torch.no_grad():
            maps = backbone.backbone(batch['inputs'])
        expected = torch.cat([x.flatten() for x in maps])
        found = torch.from_numpy(store.records[image, view].copy())
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(store.records[:, 0] - store.records[:, 1]).max() > 0.1


def test_a_row_reads_only_its_maps(tmp_path: Path, cfg: Config) -> None:
    assert cache(tmp_path).returncode == 0
    cfg.model.backbone.out_indices = (3,)
    features = use_features(cfg, tmp_path / 'f')
    assert features.model.backbone.map_shapes == [[64, 2, 2]]
    assert features.model.backbone.eval_shapes == [[64, 3, 3]]
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(features.train_dataloader.dataset)
    assert dataset[1]['inputs'].shape == (256,) and dataset[1]['inputs'].dtype == torch.float16
    cfg.model.backbone.out_indices = (1, 3)
    with pytest.raises(ValueError, match=r"some of \['2', '3'\], got \['1', '3'\]"):
        use_features(cfg, tmp_path / 'f')


def test_features_of_other_settings_are_refused(tmp_path: Path, cfg: Config) -> None:
    with pytest.raises(FileNotFoundError, match='cache_features'):
        use_features(cfg, tmp_path / 'f')
    assert cache(tmp_path).returncode == 0
    for key, value in (
        ('model.backbone.base_channels', 16),
        ('data_preprocessor', dict(mean=[0.0] * 3)),
        ('train_dataloader.dataset.pipeline', [*PIPELINE[:2], PIPELINE[3]]),
    ):
        other = Config(cfg.to_dict())
        if key == 'data_preprocessor':
            other.model.pop(key)
        other.merge_from_dict({key: value})
        with pytest.raises(ValueError, match=f'these differ: {key.split(".")[-1]}|: backbone'):
            use_features(other, tmp_path / 'f')


def test_features_of_other_weights_are_refused(tmp_path: Path, cfg: Config) -> None:
    assert cache(tmp_path).returncode == 0
    state = torch.load(cfg.load_from)
    torch.save(state, tmp_path / 'moved.pth')
    cfg.load_from = str(tmp_path / 'moved.pth')
    use_features(cfg, tmp_path / 'f')
    state['state_dict']['backbone.layer1.0.conv1.weight'] += 1
    torch.save(state, cfg.load_from)
    with pytest.raises(ValueError, match=r'1 of \d+ differ, the first is layer1.0.conv1.weight'):
        use_features(cfg, tmp_path / 'f')


def test_features_written_again_are_those_of_another_config(tmp_path: Path, cfg: Config) -> None:
    assert cache(tmp_path).returncode == 0
    first = use_features(cfg, tmp_path / 'f')
    assert config_hash(first) == config_hash(use_features(cfg, tmp_path / 'f'))
    assert cache(tmp_path, '--seed', '9').returncode == 0
    assert config_hash(first) != config_hash(use_features(cfg, tmp_path / 'f'))
    with pytest.raises(ValueError, match='they were written again since the config was made'):
        DATASETS.build(first.train_dataloader.dataset)


def test_a_run_on_features_has_no_settings_of_images(tmp_path: Path, cfg: Config) -> None:
    cfg.model.data_preprocessor.pad_size_divisor = 32
    cfg.train_dataloader.dataset.image_cache = 'memory'
    cfg.dump(tmp_path / 'c.py')
    assert cache(tmp_path).returncode == 0
    found = use_features(cfg, tmp_path / 'f')
    assert 'pad_size_divisor' not in found.data_preprocessor
    assert 'image_cache' not in found.train_dataloader.dataset.dataset
    cfg.model.data_preprocessor.batch_augments = dict(augments=[dict(type='Mixup', alpha=0.2)])
    with pytest.raises(ValueError, match='`data_preprocessor.batch_augments` mixes images'):
        use_features(cfg, tmp_path / 'f')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda cfg: cfg.pop('train_dataloader'), 'must have `train_dataloader`, got none'),
        (
            lambda cfg: cfg.train_dataloader.__setitem__(
                'dataset',
                dict(type='RepeatDataset', times=2, dataset=cfg.train_dataloader.dataset.to_dict()),
            ),
            'must be a dataset of mmmsf, .* got RepeatDataset',
        ),
        (
            lambda cfg: cfg.train_dataloader.dataset.update(
                pipeline=[PIPELINE[0], dict(type='ResizeEdge', scale=32), PIPELINE[-1]]
            ),
            r'images must have one size, got \(3, 32, 53\) and \(3, 64, 32\)',
        ),
    ],
)
def test_data_without_features_is_named(
    tmp_path: Path, cfg: Config, change: Callable[[Config], object], message: str
) -> None:
    change(cfg)
    cfg.dump(tmp_path / 'c.py')
    cv2.imwrite(str(tmp_path / '2.png'), np.zeros((80, 40, 3), np.uint8))
    done = cache(tmp_path)
    assert done.returncode == 1 and re.search(message, done.stderr), done.stderr


def test_a_trained_backbone_is_refused(tmp_path: Path, cfg: Config) -> None:
    cfg.model.backbone.frozen_stages = 3
    with pytest.raises(ValueError, match=r'must be frozen .* the first is layer4\.0'):
        build_backbone(cfg)
    cfg.dump(tmp_path / 'c.py')
    done = cache(tmp_path)
    assert done.returncode == 1 and 'must be frozen' in done.stderr
    cfg.model.backbone.frozen_stages = 4
    cfg.model.train_cfg = dict(augments=dict(type='Mixup', alpha=0.2))
    with pytest.raises(ValueError, match='mixes images'):
        build_backbone(cfg)


def test_names_of_maps() -> None:
    assert map_names(dict(out_indices=(3, 4), with_final_map=True)) == ['3', '4', 'final']
    assert map_names(dict(out_indices=3)) == ['3']
    with pytest.raises(ValueError, match='must list the stages'):
        map_names(dict(type='ResNet'))
