"""Multi-label image classification on MMPretrain backbones.

Importing the package checks the OpenMMLab frameworks below it and declares the registries; the
components register when a config first names one (``mmmsf.MSFHead``, ...). A config gets both with
``custom_imports=dict(imports=['mmmsf'], allow_failed_imports=False)``. Nothing else in the process
changes; :func:`mmmsf.checkpoint.secure_checkpoint_loading` is the one call that a script of your
own needs to load checkpoints from strangers through MMEngine.
"""

import importlib
from typing import Any

from .utils.framework import check_framework
from .version import __version__

check_framework()

from . import registry  # noqa: E402
from .checkpoint.files import register_safe_globals, secure_checkpoint_loading  # noqa: E402

register_safe_globals()
secure_checkpoint_loading()

_ROOMS = (
    'apis',
    'checkpoint',
    'datasets',
    'deploy',
    'engine',
    'evaluation',
    'models',
    'report',
    'visualization',
)

__all__ = ['MultiLabelInferencer', '__version__', 'registry', *_ROOMS]


def __getattr__(name: str) -> Any:
    """Import a room of the package when it is first asked for."""
    if name in _ROOMS:
        return importlib.import_module(f'{__name__}.{name}')
    if name == 'MultiLabelInferencer':
        return importlib.import_module(f'{__name__}.apis').MultiLabelInferencer
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
