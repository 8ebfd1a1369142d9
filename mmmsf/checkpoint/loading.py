"""Trained models with their classes and thresholds, from a checkpoint and its config."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope
from mmpretrain.models import ImageClassifier
from numpy.typing import NDArray

from mmmsf.models.decisions import model_groups
from mmmsf.models.heads.calibration import (
    calibrate_head,
    calibrate_thresholds,
    is_calibrated,
)
from mmmsf.models.heads.contract import head_num_classes
from mmmsf.utils.config_file import read_config
from mmmsf.utils.groups import Group

from .calibration import calibration_of
from .config_text import config_from_text
from .files import read_checkpoint
from .fit import check_classes, check_groups, checkpoint_classes, load_weights
from .secure_loading import secure_loading

# Arguments by which a model would load weights of its own.
_OTHER_WEIGHTS = ('init_cfg', 'pretrained', 'checkpoint_path')


@dataclass(eq=False)
class LoadedModel:
    """Hold a model with all that prediction needs; K classes.

    Attributes:
        model: Classifier on its device, in evaluation mode.
        cfg: Config that it was built from.
        classes: K names.
        thresholds: (K,) float32; a score of at least its threshold is a positive decision.
        meta: Meta data of the checkpoint.
    """

    model: ImageClassifier
    cfg: Config
    classes: tuple[str, ...]
    thresholds: NDArray[np.float32]
    meta: dict[str, Any]

    @property
    def groups(self) -> tuple[Group, ...]:
        """Exclusive groups of the classes, none for most models."""
        return model_groups(self.model)

    @property
    def num_classes(self) -> int:
        """Number of classes K."""
        return len(self.classes)

    @property
    def calibrated(self) -> bool:
        """True where the scores of the model and the thresholds are calibrated."""
        return is_calibrated(getattr(self.model, 'head', None))

    @property
    def pipeline(self) -> list[dict[str, Any]]:
        """Config of the test pipeline.

        Raises:
            ValueError: The config has neither `test_dataloader` nor `val_dataloader`, or its images
                are cached features.
        """
        loader = self.cfg.get('test_dataloader') or self.cfg.get('val_dataloader')
        if loader is None:
            raise ValueError('the config has no `test_dataloader` and so no test pipeline')
        if loader.dataset.get('pipeline') is None:
            raise ValueError(
                'the test dataset of the config must have a `pipeline`, got '
                f'{loader.dataset.get("type")} without one; a model trained on cached features has '
                'no backbone for images'
            )
        return list(loader.dataset.pipeline)


def _without_init(cfg: Any) -> Any:
    """Copy a model config without the arguments that would fetch other weights."""
    if isinstance(cfg, dict):
        return {
            key: _without_init(value) for key, value in cfg.items() if key not in _OTHER_WEIGHTS
        }
    if isinstance(cfg, list | tuple):
        return type(cfg)(_without_init(value) for value in cfg)
    return cfg


def build_model(cfg: Config) -> ImageClassifier:
    """Build the config's model with random weights, in evaluation mode.

    Raises:
        ValueError: The config has no model.
    """
    if not isinstance(cfg.get('model'), dict):
        raise ValueError(f'the config {cfg.filename or ""} has no `model`')
    with DefaultScope.overwrite_default_scope('mmpretrain'), secure_loading():
        model_cfg = _without_init(cfg.model.to_dict())
        preprocessor = model_cfg.get('data_preprocessor') or cfg.get('data_preprocessor')
        if preprocessor is not None:
            model_cfg['data_preprocessor'] = dict(preprocessor)
        return ROOT_MODELS.build(model_cfg).eval()


def _classes(meta: dict[str, Any], cfg: Config, num_classes: int) -> tuple[str, ...]:
    """Read the class names from the meta data, else from the config, else number the classes."""
    names = checkpoint_classes(meta)
    if names is None:
        for loader in ('test_dataloader', 'val_dataloader', 'train_dataloader'):
            found = (cfg.get(loader) or {}).get('dataset', {}).get('metainfo') or {}
            names = names or found.get('classes')
    if names is None:
        return tuple(map(str, range(num_classes)))
    if len(names) != num_classes:
        raise ValueError(f'the checkpoint names {len(names)} classes, its model has {num_classes}')
    return tuple(map(str, names))


def _thresholds(meta: dict[str, Any], thr: float | None, num_classes: int) -> NDArray[np.float32]:
    """Read the thresholds stored in the meta data, else use the head's, else 0.5."""
    stored = meta.get('thresholds')
    if stored is None:
        return np.full(num_classes, 0.5 if thr is None else thr, np.float32)
    try:
        values = np.asarray(stored, np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f'the thresholds in the checkpoint must be numbers, got {stored!r:.200}'
        ) from error
    if values.shape != (num_classes,) or not np.isfinite(values).all():
        raise ValueError(
            f'the thresholds in the checkpoint must be {num_classes} finite numbers, '
            f'got shape {values.shape}'
        )
    return values


def load_model(
    checkpoint: str | Path,
    config: str | Path | Config | None = None,
    device: str | torch.device | None = None,
    calibrated: bool | None = None,
) -> LoadedModel:
    """Load a trained multi-label model.

    Args:
        checkpoint: ``.pth`` file of a training run or a file of ``tools/publish_model.py``. The
            averaged weights are loaded where the run kept an average.
        config: By default the config in the checkpoint, parsed as data and not executed.
        device: By default the GPU where there is one.
        calibrated: True for calibrated scores, False for those that the network was trained to
            give; by default calibrated where the checkpoint carries a calibration.

    Returns:
        The model with its classes and thresholds. Thresholds in the checkpoint are converted to
        the scores that the model gives; without any, the head's are taken as they are.

    Raises:
        FileNotFoundError: Checkpoint or config does not exist.
        ValueError: The checkpoint cannot be read, it has no config and `config` is None, its
            weights do not fit, it lacks the calibration that is asked for, or the head breaks the
            contract in `mmmsf.models.heads.contract`.
    """
    found = read_checkpoint(checkpoint)
    meta = found['meta']
    if config is None:
        if not isinstance(meta.get('cfg'), str):
            raise ValueError(f'{checkpoint} carries no config; name one')
        try:
            config = config_from_text(meta['cfg'])
        except ValueError as error:
            raise ValueError(f'the config in {checkpoint}: {error}') from error
    cfg = config if isinstance(config, Config) else read_config(config)
    model = build_model(cfg)
    load_weights(model, found['state_dict'], str(checkpoint))
    num_classes = head_num_classes(getattr(model, 'head', None), cfg)
    check_groups(meta, model_groups(model), str(checkpoint), 'the config')
    classes = _classes(meta, cfg, num_classes)
    if getattr(model, 'classes', None) is not None:
        check_classes(classes, model.classes, str(checkpoint), '`model.classes` of the config')
    thresholds = _thresholds(meta, getattr(model.head, 'thr', None), num_classes)
    calibration = calibration_of(meta, num_classes, checkpoint, calibrated)
    if calibration is not None:
        calibrate_head(model.head, calibration)
        if meta.get('thresholds') is not None:
            thresholds = calibrate_thresholds(thresholds, calibration)
    if device is None:
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    return LoadedModel(model.to(device), cfg, classes, thresholds, meta)
