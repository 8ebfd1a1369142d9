"""Whatever names a model, turned into a loaded one."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmpretrain.apis import get_model, list_models
from torch import nn

from mmmsf.checkpoint.loading import LoadedModel, load_model
from mmmsf.checkpoint.secure_loading import secure_loading
from mmmsf.utils.config_file import read_config

_CONFIG_SUFFIXES = ('.py', '.json', '.yaml', '.yml')
_CHECKPOINT_SUFFIXES = ('.pth', '.pt', '.safetensors')


def _from_module(model: nn.Module, device: str | torch.device | None) -> LoadedModel:
    """Take over a model of MMPretrain's ``get_model``, which keeps its config on the model."""
    cfg: Any = getattr(model, '_config', None)
    head: Any = getattr(model, 'head', None)
    num_classes = getattr(head, 'num_classes', None) or getattr(
        getattr(head, 'fc', None), 'out_features', None
    )
    if cfg is None or num_classes is None:
        raise ValueError(
            '`model` is a module that does not tell its config or its number of '
            'classes; pass a LoadedModel, which also holds class names and thresholds'
        )
    names = (getattr(model, '_dataset_meta', None) or {}).get('classes') or range(num_classes)
    if len(names) != num_classes:
        raise ValueError(f'`model` names {len(names)} classes, its head has {num_classes}')
    thr = getattr(head, 'thr', None)
    thresholds = np.full(num_classes, 0.5 if thr is None else thr, np.float32)
    model = model.eval() if device is None else model.eval().to(device)
    return LoadedModel(model, cfg, tuple(map(str, names)), thresholds, {})


def resolve_model(
    model: str | Path | Config | LoadedModel | nn.Module | None,
    pretrained: str | Path | None,
    device: str | torch.device | None,
) -> LoadedModel:
    """Load what the arguments of :class:`MultiLabelInferencer` name.

    Raises:
        FileNotFoundError: config or checkpoint does not exist.
        ValueError: there is nothing to load, no such model name, or two sets of weights.
    """
    if isinstance(model, LoadedModel | nn.Module):
        if pretrained is not None:
            raise ValueError(
                '`pretrained` goes with a config or a name; this `model` has its weights already'
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
            raise ValueError('name a `model` or the checkpoint `pretrained`')
        return load_model(checkpoint, device=device)
    if isinstance(model, Config) or Path(model).suffix in _CONFIG_SUFFIXES:
        cfg = model if isinstance(model, Config) else read_config(model)
        checkpoint = pretrained or cfg.get('load_from')
        if checkpoint is None:
            raise ValueError('a config has no weights; name the checkpoint as `pretrained`')
        return load_model(checkpoint, cfg, device)
    if str(model).lower() not in list_models():
        raise ValueError(
            f'`model`={str(model)!r} is no config (.py), no checkpoint (.pth, '
            ".safetensors) and none of MMPretrain's list_models()"
        )
    weights = True if pretrained is None else str(pretrained)
    if device is None:
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    with secure_loading():
        return _from_module(get_model(str(model), weights, device), device)
