"""Loading of a model from any of the forms in which a caller may name it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmpretrain.apis import get_model, list_models
from torch import nn

from mmmsf.checkpoint.loading import LoadedModel, load_model
from mmmsf.checkpoint.secure_loading import secure_loading
from mmmsf.models.heads.contract import head_num_classes
from mmmsf.utils.config_file import read_config

_CONFIG_SUFFIXES = ('.py', '.json', '.yaml', '.yml')
_CHECKPOINT_SUFFIXES = ('.pth', '.pt', '.safetensors')


def _from_module(model: nn.Module, device: str | torch.device | None) -> LoadedModel:
    """Wrap a model of MMPretrain's ``get_model``, which stores its config in ``_config``."""
    cfg: Any = getattr(model, '_config', None)
    head: Any = getattr(model, 'head', None)
    if cfg is None:
        raise ValueError(
            "`model` must be a LoadedModel or a model of MMPretrain's `get_model`, got a "
            f'{type(model).__name__} without a config; pass a LoadedModel'
        )
    num_classes = head_num_classes(head, cfg)
    names = (getattr(model, '_dataset_meta', None) or {}).get('classes') or range(num_classes)
    if len(names) != num_classes:
        raise ValueError(f'`model` has {len(names)} class names, its head {num_classes} classes')
    thr = getattr(head, 'thr', None)
    thresholds = np.full(num_classes, 0.5 if thr is None else thr, np.float32)
    model = model.eval() if device is None else model.eval().to(device)
    return LoadedModel(model, cfg, tuple(map(str, names)), thresholds, {})


def _resolve(
    model: str | Path | Config | LoadedModel | nn.Module | None,
    pretrained: str | Path | None,
    device: str | torch.device | None,
    calibrated: bool | None,
) -> LoadedModel:
    if isinstance(model, LoadedModel | nn.Module):
        if pretrained is not None:
            raise ValueError(
                '`pretrained` must be None for a `model` that has its weights, got '
                f'{str(pretrained)!r}; it goes with a config or a name'
            )
        if isinstance(model, nn.Module):
            return _from_module(model, device)
        if device is not None:
            model.model.to(device)
        model.model.eval()
        return model
    if model is None or (
        pretrained is None
        and Path(str(model)).suffix in _CHECKPOINT_SUFFIXES
        and not isinstance(model, Config)
    ):
        checkpoint = pretrained if model is None else str(model)
        if checkpoint is None:
            raise ValueError('`model` or `pretrained` must be given, got neither')
        return load_model(checkpoint, device=device, calibrated=calibrated)
    if isinstance(model, Config) or Path(model).suffix in _CONFIG_SUFFIXES:
        cfg = model if isinstance(model, Config) else read_config(model)
        checkpoint = pretrained or cfg.get('load_from')
        if checkpoint is None:
            raise ValueError('`pretrained` must name a checkpoint where `model` is a config')
        return load_model(checkpoint, cfg, device, calibrated)
    if str(model).lower() not in list_models():
        raise ValueError(
            '`model` must be a config (.py), a checkpoint (.pth, .safetensors) or one of '
            f"MMPretrain's list_models(), got {str(model)!r}"
        )
    weights = True if pretrained is None else str(pretrained)
    if device is None:
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    with secure_loading():
        return _from_module(get_model(str(model), weights, device), device)


def resolve_model(
    model: str | Path | Config | LoadedModel | nn.Module | None,
    pretrained: str | Path | None,
    device: str | torch.device | None,
    calibrated: bool | None = None,
) -> LoadedModel:
    """Load the model that the arguments of :class:`MultiLabelInferencer` name.

    Raises:
        FileNotFoundError: Config or checkpoint does not exist.
        ValueError: There is nothing to load, no such model name, two sets of weights, no
            calibration where one is required, or a model that is loaded already has one where
            none is wanted.
    """
    loaded = _resolve(model, pretrained, device, calibrated)
    if calibrated not in (None, loaded.calibrated):
        raise ValueError(
            f'`calibrated` must be {loaded.calibrated} or None for a `model` that is loaded '
            f'already, got {calibrated}; name its checkpoint instead'
        )
    return loaded
