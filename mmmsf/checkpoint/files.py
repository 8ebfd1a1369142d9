"""Read and write checkpoints without running anything that they hold."""

import functools
import json
import os
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from mmmsf.utils.atomic_file import whole_file

from .safe_globals import register_safe_globals

META_KEY = 'mmmsf'  # the entry of a safetensors header that holds our meta data as JSON


def _read_safetensors(path: str, map_location: Any) -> dict[str, Any]:
    device = 'cpu' if map_location is None else str(map_location)
    with safe_open(path, framework='pt', device=device) as file:
        header = file.metadata() or {}
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return dict(meta=json.loads(header.get(META_KEY, '{}')), state_dict=state)


def read_file(path: str | Path, map_location: Any = 'cpu') -> Any:
    """Read what is in a ``.pth`` or ``.safetensors`` file without running any of it.

    Args:
        path: the file.
        map_location: device of the tensors, as ``torch.load`` takes it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, is no checkpoint, or holds objects that could run code.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'there is no checkpoint {path}')
    try:
        if path.suffix == '.safetensors':
            return _read_safetensors(str(path), map_location)
        register_safe_globals()  # MMEngine's own loader takes some of them away again
        return torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:  # torch's reader raises many types on damaged files
        raise _unreadable(path, error) from error


def _unreadable(source: object, error: Exception) -> ValueError:
    reason = (str(error).splitlines() or [''])[0]
    return ValueError(
        f'{source} cannot be read as a checkpoint: it is damaged, or it holds '
        'objects other than weights and plain data, which are never loaded '
        f'({type(error).__name__}: {reason})'
    )


def load_from_local(filename: str, map_location: Any = 'cpu') -> Any:
    """What MMEngine calls for a path, in place of a reader that falls back to running code.

    Raises:
        FileNotFoundError, ValueError: as :func:`read_file`; also where the file holds no dict.
    """
    found = read_file(filename, map_location)
    if not isinstance(found, Mapping):
        raise ValueError(f'{filename} holds a {type(found).__name__}, not a checkpoint')
    return found


@contextmanager
def _weights_only() -> Iterator[None]:
    """Make every ``torch.load`` refuse code for a while, whoever calls it."""
    name = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
    before = os.environ.get(name)
    os.environ[name] = '1'
    register_safe_globals()
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _guarded(loader: Callable[..., Any]) -> Callable[..., Any]:
    """A loader of MMEngine (of URLs, model zoos ...) that cannot run what it loads."""

    @functools.wraps(loader)
    def load(filename: str, map_location: Any = None) -> Any:
        try:
            with _weights_only():
                return loader(filename, map_location)
        except pickle.UnpicklingError as error:
            raise _unreadable(filename, error) from error

    return load


def secure_checkpoint_loading() -> None:
    """Make MMEngine's ``load_checkpoint`` read ``.safetensors`` and never run a checkpoint's code.

    It serves ``load_from``, ``--resume``, ``init_cfg=dict(type='Pretrained')`` and MMPretrain's
    ``get_model``. Its own loaders try without code first and with it when that fails.
    """
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        if prefix and not hasattr(loader, '__wrapped__') and loader is not load_from_local:
            CheckpointLoader.register_scheme(prefix, _guarded(loader), force=True)
    for prefix in ('', r'.*\.safetensors$'):
        CheckpointLoader.register_scheme(prefix, load_from_local, force=True)


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a ``.pth`` or ``.safetensors`` checkpoint on the CPU.

    Args:
        path: a checkpoint of MMEngine, one of ``tools/publish_model.py``, or plain weights.

    Returns:
        A dict with at least ``meta`` (may be empty) and ``state_dict``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, is no checkpoint, or holds objects that could run code.
    """
    checkpoint = load_from_local(str(path))
    if 'state_dict' not in checkpoint:
        checkpoint = dict(state_dict=checkpoint)
    state, meta = checkpoint['state_dict'], checkpoint.get('meta') or {}
    for name, value in (('state_dict', state), ('meta', meta)):
        if not isinstance(value, Mapping):
            raise ValueError(
                f'{path} is no checkpoint: its `{name}` is a {type(value).__name__}, not a dict'
            )
    strange = [str(name) for name, value in state.items() if not isinstance(value, Tensor)]
    if not state or strange:
        raise ValueError(
            f'{path} holds no weights'
            + (f'; these entries are no tensors: {", ".join(strange[:5])}' if strange else '')
        )
    return {**checkpoint, 'meta': dict(meta)}


def write_checkpoint(path: str | Path, checkpoint: Mapping[str, Any]) -> None:
    """Write a checkpoint whole or not at all.

    Args:
        path: where to; ``.safetensors`` keeps ``state_dict`` and ``meta`` (as JSON, so numbers,
            strings, lists and dicts only), any other suffix everything.
        checkpoint: with ``state_dict`` and perhaps ``meta``.

    Raises:
        OSError: the file cannot be written; an earlier one of that name is untouched.
        TypeError: ``meta`` holds something that JSON has no form for.
    """
    path = Path(path)
    if path.suffix == '.safetensors':
        header = {META_KEY: json.dumps(checkpoint.get('meta', {}))}
        state = {
            name: value.detach().cpu().contiguous().clone()
            for name, value in checkpoint['state_dict'].items()
        }
        with whole_file(path, shared=True) as partial:
            save_file(state, partial, header)
    else:
        with whole_file(path, shared=True) as partial:
            torch.save(dict(checkpoint), partial)
