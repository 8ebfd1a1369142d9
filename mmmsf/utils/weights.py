"""Read and write checkpoints without running anything that they hold."""

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from .checkpoint import register_safe_globals

META_KEY = 'mmmsf'  # the entry of a safetensors header that holds our meta data as JSON


def load_from_safetensors(path: str, map_location: Any = 'cpu') -> dict[str, Any]:
    device = 'cpu' if map_location is None else str(map_location)
    with safe_open(path, framework='pt', device=device) as file:
        header = file.metadata() or {}
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return dict(meta=json.loads(header.get(META_KEY, '{}')), state_dict=state)


def register_safetensors() -> None:
    """Let MMEngine's ``load_checkpoint`` read ``.safetensors`` files."""
    CheckpointLoader.register_scheme(r'.*\.safetensors$', load_from_safetensors, force=True)


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
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no checkpoint {path}')
    try:
        if Path(path).suffix == '.safetensors':
            checkpoint = load_from_safetensors(str(path))
        else:
            register_safe_globals()  # MMEngine's own loader takes some of them away again
            checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # torch's reader raises many types on damaged files
        reason = (str(error).splitlines() or [''])[0]
        raise ValueError(f'{path} cannot be read as a checkpoint: it is damaged, or it holds '
                         f'objects other than weights and plain data, which are never loaded '
                         f'({type(error).__name__}: {reason})') from error
    if not isinstance(checkpoint, Mapping):
        raise ValueError(f'{path} holds a {type(checkpoint).__name__}, not a checkpoint')
    if 'state_dict' not in checkpoint:
        checkpoint = dict(state_dict=checkpoint)
    state, meta = checkpoint['state_dict'], checkpoint.get('meta') or {}
    for name, value in (('state_dict', state), ('meta', meta)):
        if not isinstance(value, Mapping):
            raise ValueError(f'{path} is no checkpoint: its `{name}` is a {type(value).__name__}, '
                             'not a dict')
    strange = [str(name) for name, value in state.items() if not isinstance(value, Tensor)]
    if not state or strange:
        raise ValueError(f'{path} holds no weights' + (
            f'; these entries are no tensors: {", ".join(strange[:5])}' if strange else ''))
    return {**checkpoint, 'meta': dict(meta)}


def _replace(path: Path, write: Callable[[str], None]) -> None:
    """Write beside ``path``, then rename: a reader sees the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    os.close(handle)
    try:
        write(name)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


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
        state = {name: value.detach().cpu().contiguous().clone()
                 for name, value in checkpoint['state_dict'].items()}
        _replace(path, lambda name: save_file(state, name, header))
    else:
        _replace(path, lambda name: torch.save(dict(checkpoint), name))
