"""State of the process that an import must leave unchanged."""

import logging
import os
import random
import sys
import warnings
from typing import Any

import numpy as np
import torch
from mmengine.fileio.backends import registry_utils
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import CheckpointLoader
from mmpretrain.utils import dependency


def process_state() -> dict[str, Any]:
    """Snapshot loaders, settings, environment and generators."""
    return dict(
        checkpoint_loaders=dict(CheckpointLoader._schemes),
        file_backends=dict(registry_utils.backends),
        file_prefixes=dict(registry_utils.prefix_to_backends),
        safe_globals=set(torch.serialization.get_safe_globals()),
        multimodal=dependency.WITH_MULTIMODAL,
        environment=dict(os.environ),
        warnings=list(warnings.filters),
        path=list(sys.path),
        log_handlers=(logging.root.level, list(logging.root.handlers)),
        scopes=dict(DefaultScope._instance_dict),
        torch=(torch.get_num_threads(), torch.get_default_dtype(), torch.get_rng_state().tolist()),
        random=(random.getstate(), np.random.get_state()[1].tolist()),
    )


def changed(before: dict[str, Any]) -> list[str]:
    """Name the entries of a snapshot that differ from the present state."""
    now = process_state()
    return [key for key, value in before.items() if now[key] != value]
