"""MMEngine's checkpoint loaders, kept from running code that a checkpoint contains.

MMEngine first tries to read a file without code and, where that fails, reads it again with code.
Nothing here acts at import: a block does it with :func:`secure_loading`, a process (our tools, a
script of your own) with one call of :func:`secure_checkpoint_loading`.
"""

import functools
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.runner.checkpoint import CheckpointLoader

from .files import load_from_local, unreadable
from .safe_globals import safe_globals

_LOCAL = ('', r'.*\.safetensors$')  # a path without a scheme matches these


@contextmanager
def _weights_only() -> Iterator[None]:
    """Make every ``torch.load`` inside the block refuse code, whoever calls it."""
    name = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
    before = os.environ.get(name)
    os.environ[name] = '1'
    try:
        with safe_globals():
            yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def _guarded(loader: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a loader of MMEngine (of URLs, model zoos, ...) so that it cannot run what it reads."""

    @functools.wraps(loader)
    def load(filename: str, map_location: Any = None) -> Any:
        try:
            with _weights_only():
                return loader(filename, map_location)
        except pickle.UnpicklingError as error:
            raise unreadable(filename, error) from error

    return load


def secure_checkpoint_loading() -> None:
    """Make MMEngine refuse checkpoints with code from now on, and read ``.safetensors``.

    Call it once, before the first checkpoint is read. It applies to the whole process: to
    ``load_from``, resuming, ``init_cfg=dict(type='Pretrained')`` and MMPretrain's ``get_model``.

    Example:
        >>> from mmmsf.checkpoint import secure_checkpoint_loading
        >>> secure_checkpoint_loading()
    """
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        if prefix not in _LOCAL and not hasattr(loader, '__wrapped__'):
            CheckpointLoader.register_scheme(prefix, _guarded(loader), force=True)
    CheckpointLoader.register_scheme(list(_LOCAL), load_from_local, force=True)


@contextmanager
def secure_loading() -> Iterator[None]:
    """Refuse checkpoints with code inside the block, through MMEngine or ``torch.load``.

    MMEngine's loaders and PyTorch's settings belong to the process, so other threads are affected
    while the block runs. They are restored at its end.
    """
    schemes = CheckpointLoader._schemes
    CheckpointLoader._schemes = dict(schemes)
    try:
        secure_checkpoint_loading()
        with _weights_only():
            yield
    finally:
        CheckpointLoader._schemes = schemes
