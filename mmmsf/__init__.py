"""Multi-label image classification on MMPretrain backbones.

Importing the package checks the OpenMMLab frameworks below it and declares the registries; a
component registers when a config first names one of its kind (``mmmsf.MSFHead``, ...). A config
gets both with ``custom_imports=dict(imports=['mmmsf'], allow_failed_imports=False)``. Nothing else
in the process changes.

The tools of this repository and :class:`MultiLabelInferencer` never run code that a checkpoint
contains. Another launcher (MMPretrain's ``tools/train.py``, ``mim train``, a script of your own)
reads checkpoints as MMEngine does, which may run such code. There,
:func:`mmmsf.checkpoint.secure_checkpoint_loading`, called once before the first checkpoint is
read, gives the same safety. A config of your own that another launcher trains must also have
:class:`mmmsf.engine.TargetCheckHook` among its hooks, as those here do, if a data set marks classes
as unknown (-1) and loss or mixing are not of this package.
"""

import importlib
from typing import Any

from .utils.framework import check_framework
from .version import __version__

check_framework()

from . import registry  # noqa: E402

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
    """Import a room of the package on first access."""
    if name in _ROOMS:
        return importlib.import_module(f'{__name__}.{name}')
    if name == 'MultiLabelInferencer':
        return importlib.import_module(f'{__name__}.apis').MultiLabelInferencer
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
