"""Configs whose frozen backbone is replaced by features that were computed before."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from _grid import Row
from _publish import published
from mmengine.config import Config, ConfigDict
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS, DefaultScope
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.runner.checkpoint import _load_checkpoint_with_prefix
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmmsf.checkpoint.files import read_checkpoint, write_checkpoint
from mmmsf.datasets.base import MultiLabelData
from mmmsf.datasets.readers.feature_store import FeatureStore

SPLITS = ('train', 'val', 'test')
FINAL = 'final'  # name of the map of `with_final_map`; a stage is named by its index

# Keys of a backbone that choose maps or freeze parts, and change no value of a map
CHOICE_KEYS = ('out_indices', 'with_final_map', 'frozen', 'frozen_stages', 'norm_eval')


def map_names(backbone: Mapping[str, Any]) -> list[str]:
    """Name the maps of a backbone's config: ``out_indices``, then ``'final'``.

    Raises:
        ValueError: The config has no ``out_indices``.
    """
    indices = backbone.get('out_indices')
    if indices is None:
        raise ValueError(
            '`model.backbone.out_indices` must list the stages, so that maps can be told apart; '
            'got a backbone without it'
        )
    indices = [indices] if isinstance(indices, int) else indices
    return [str(i) for i in indices] + [FINAL] * bool(backbone.get('with_final_map'))


def preprocessor_of(cfg: Config) -> dict[str, Any]:
    """Return the data preprocessor of a config, where the runner would look for it."""
    return dict(cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor') or {})


def build_data(dataset: ConfigDict, name: str) -> MultiLabelData:
    """Build a dataset of a config.

    Raises:
        ValueError: It is none of mmmsf's; the message calls it ``name``.
    """
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        kind = DATASETS.get(dataset.type)
        if not (isinstance(kind, type) and issubclass(kind, MultiLabelData)):
            raise ValueError(
                f'`{name}` must be a dataset of mmmsf, such as mmmsf.CsvMultiLabel, got '
                f'{dataset.type}'
            )
        return DATASETS.build(dataset)


def weight_digests(backbone: nn.Module) -> dict[str, str]:
    """Return a digest of each weight and buffer of a backbone."""
    return {
        name: hashlib.sha256(value.cpu().contiguous().numpy().tobytes()).hexdigest()[:16]
        for name, value in backbone.state_dict().items()
    }


def source_of(cfg: Config, split: str) -> dict[str, Any]:
    """Collect the settings on which the features of a split depend, as JSON knows them."""
    model = cfg.model.to_dict()
    source = dict(
        backbone={k: v for k, v in model['backbone'].items() if k not in CHOICE_KEYS},
        data_preprocessor=preprocessor_of(cfg),
        pipeline=cfg[f'{split}_dataloader'].dataset.pipeline,
    )
    return json.loads(json.dumps(source))


@contextmanager
def _quiet_log() -> Iterator[None]:
    """Drop the log's line about each stage and each parameter of a backbone."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')
    try:
        yield
    finally:
        logger.setLevel(level)


def build_backbone(cfg: Config, init: bool = False) -> nn.Module:
    """Build the backbone of a config in training mode, and require that it is frozen.

    Args:
        cfg: Config of a model on images.
        init: Load the weights of ``init_cfg``.

    Raises:
        ValueError: A parameter is trained, a batch norm collects statistics, or the model mixes
            images.
    """
    for where, settings in (
        ('model.train_cfg.augments', (cfg.model.get('train_cfg') or {}).get('augments')),
        ('data_preprocessor.batch_augments', preprocessor_of(cfg).get('batch_augments')),
    ):
        if settings:
            raise ValueError(f'`{where}` mixes images, which needs the images')
    backbone_cfg = cfg.model.backbone.to_dict()
    if not init:
        backbone_cfg.pop('init_cfg', None)
    with DefaultScope.overwrite_default_scope('mmpretrain'), _quiet_log():
        backbone = ROOT_MODELS.build(backbone_cfg)
        if init:
            backbone.init_weights()
    backbone.train()
    loose = [name for name, p in backbone.named_parameters() if p.requires_grad]
    loose += [
        name for name, x in backbone.named_modules() if isinstance(x, _BatchNorm) and x.training
    ]
    if loose:
        raise ValueError(
            f'the backbone must be frozen entirely, got {len(loose)} trained parts, the first is '
            f'{loose[0]}; freeze them all (`frozen` of mmmsf.FrozenTIMMBackbone, or '
            '`frozen_stages`)'
        )
    return backbone


def load_backbone(cfg: Config) -> nn.Module:
    """Build the frozen backbone of a config with its weights, of ``init_cfg`` or ``load_from``.

    Raises:
        ValueError: As :func:`build_backbone`.
    """
    backbone = build_backbone(cfg, init=True)
    if cfg.get('load_from'):
        state = _load_checkpoint_with_prefix('backbone.', cfg.load_from, map_location='cpu')
        backbone.load_state_dict(state)
    return backbone


def write_network(row: Row, run_dir: Path) -> None:
    """Write ``network.py`` and ``network.pth`` into a run on features: the network on images.

    Args:
        row: Row whose neck and head were trained.
        run_dir: Folder of its finished run.
    """
    images = cast(Config, row.images)
    last = Path((run_dir / 'last_checkpoint').read_text(encoding='utf-8').strip())
    network = published(read_checkpoint(run_dir / last.name))
    backbone = load_backbone(images).state_dict()
    network['state_dict'] |= {f'backbone.{name}': value for name, value in backbone.items()}
    network['meta']['cfg'] = images.pretty_text
    images.dump(run_dir / 'network.py')
    write_checkpoint(run_dir / 'network.pth', network)


def _check_source(store: FeatureStore, cfg: Config, split: str) -> None:
    expected, found = source_of(cfg, split), store.index.source
    differ = [key for key in expected if expected[key] != found.get(key)]
    if differ:
        raise ValueError(
            f'{store.folder}: the features must have been computed with the settings of the '
            f'config; these differ: {", ".join(differ)}'
        )


def _check_weights(store: FeatureStore, weights: Mapping[str, str]) -> None:
    differ = dict(weights.items() - store.index.weights.items())  # fewer maps have fewer weights
    if differ:
        raise ValueError(
            f'{store.folder}: the features must have been computed with the weights of the config; '
            f'{len(differ)} of {len(weights)} differ, the first is {min(differ)}'
        )


def use_features(cfg: Config, folder: str | Path, val: str = 'val') -> Config:
    """Return a config that trains the neck and head of ``cfg`` on cached features.

    The same weights, views and order of the images give the same results. A run of the same seed
    differs: the head draws its first weights after those of the backbone.

    Args:
        cfg: Config with a frozen backbone.
        folder: Folder that ``cache_features.py`` wrote, with ``train`` and ``val`` in it. A test
            set of its own is left out.
        val: Name of the folder of the validation images.

    Raises:
        FileNotFoundError: There are no features.
        ValueError: The backbone is not frozen, or the features are damaged, were computed with
            other settings or weights, or lack a map.
    """
    build_backbone(cfg)
    names = map_names(cfg.model.backbone)
    result = Config(cfg.to_dict())
    test = result.get('test_dataloader')
    if test and test.dataset != cfg.val_dataloader.dataset:
        result.test_dataloader = result.test_cfg = result.test_evaluator = None
    shapes: dict[str, list[Any]] = {}  # of each split
    stores: list[FeatureStore] = []
    for split in SPLITS:
        if result.get(f'{split}_dataloader') is None:
            continue
        store = FeatureStore(Path(folder) / ('train' if split == 'train' else val))
        _check_source(store, cfg, split)
        stores.append(store)
        store.columns(names)  # refuses a map that is missing
        _use_store(result[f'{split}_dataloader'], store, names)
        shape_of = dict(zip(store.index.map_names, store.index.map_shapes, strict=True))
        shapes[split] = [shape_of[name] for name in names]
    weights = weight_digests(load_backbone(cfg))
    for store in stores:
        _check_weights(store, weights)
    result.model.backbone = dict(type='mmmsf.FeatureInput', map_shapes=shapes['train'])
    if shapes.get('val', shapes['train']) != shapes['train']:
        result.model.backbone.eval_shapes = shapes['val']
    preprocessor = preprocessor_of(cfg)
    for key in ('mean', 'std', 'to_rgb', 'pad_size_divisor', 'pad_value', 'batch_augments'):
        preprocessor.pop(key, None)
    result.data_preprocessor = preprocessor
    result.model.pop('data_preprocessor', None)
    return result


def _use_store(loader: ConfigDict, store: FeatureStore, names: Sequence[str]) -> None:
    """Replace the dataset of a loader's config by its features."""
    images = loader.dataset
    images.pop('image_cache', None)  # no image is read
    loader.dataset = dict(
        type='mmmsf.CachedFeatures',
        dataset=images,
        features=str(store.folder),
        maps=list(names),
        digest=store.index.digest,
    )
    loader.num_workers = 0  # a record is a copy of mapped memory
    for key in ('persistent_workers', 'prefetch_factor'):
        loader.pop(key, None)
