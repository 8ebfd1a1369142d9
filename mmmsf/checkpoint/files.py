"""Read and write checkpoints without running any code that they contain."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from mmmsf.utils.atomic_file import atomic_file

from .safe_globals import safe_globals

META_KEY = 'mmmsf'  # the entry of a safetensors header that holds our metadata as JSON


def _read_safetensors(path: str, map_location: Any) -> dict[str, Any]:
    device = 'cpu' if map_location is None else str(map_location)
    with safe_open(path, framework='pt', device=device) as file:
        header = file.metadata() or {}
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return dict(meta=json.loads(header.get(META_KEY, '{}')), state_dict=state)


def unreadable(source: object, error: Exception) -> ValueError:
    """Build the error for a file that is corrupt or not safe to read."""
    reason = (str(error).splitlines() or [''])[0]
    return ValueError(
        f'{source} cannot be read as a checkpoint: it is corrupt, or it holds '
        'objects other than weights and plain data, which are never loaded '
        f'({type(error).__name__}: {reason})'
    )


def read_file(path: str | Path, map_location: Any = 'cpu') -> Any:
    """Read a ``.pth`` or ``.safetensors`` file without running any code in it.

    Args:
        path: File to read.
        map_location: Device of the tensors, as ``torch.load`` takes it.

    Returns:
        The content; of a ``.safetensors`` file a dict with ``meta`` and ``state_dict``.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is corrupt, is no checkpoint, or holds objects that could run code.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'there is no checkpoint {path}')
    try:
        if path.suffix == '.safetensors':
            return _read_safetensors(str(path), map_location)
        with safe_globals():
            return torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:  # torch's reader raises many types on corrupt files
        raise unreadable(path, error) from error


def load_from_local(filename: str, map_location: Any = 'cpu') -> Mapping[str, Any]:
    """Read a checkpoint with the signature of a loader of MMEngine's ``CheckpointLoader``.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: As :func:`read_file`, and where the file does not hold a dict.
    """
    found = read_file(filename, map_location)
    if not isinstance(found, Mapping):
        raise ValueError(f'{filename} holds a {type(found).__name__}, not a checkpoint')
    return found


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a ``.pth`` or ``.safetensors`` checkpoint to the CPU.

    Args:
        path: A checkpoint of MMEngine, one of ``tools/publish_model.py``, or plain weights.

    Returns:
        A dict with at least ``meta`` (may be empty) and ``state_dict``.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is corrupt, is no checkpoint, or holds objects that could run code.
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
    others = [str(name) for name, value in state.items() if not isinstance(value, Tensor)]
    if not state or others:
        raise ValueError(
            f'{path} holds no weights'
            + (f'; these entries are no tensors: {", ".join(others[:5])}' if others else '')
        )
    return {**checkpoint, 'meta': dict(meta)}


def write_checkpoint(path: str | Path, checkpoint: Mapping[str, Any], shared: bool = True) -> None:
    """Write a checkpoint atomically.

    Args:
        path: Target; ``.safetensors`` keeps ``state_dict`` and ``meta`` (as JSON, so numbers,
            strings, lists and dicts only), any other suffix keeps every entry.
        checkpoint: Dict with ``state_dict`` and, optionally, ``meta``.
        shared: Other processes may write the file too, see
            :func:`mmmsf.utils.atomic_file.atomic_file`.

    Raises:
        OSError: The file cannot be written; an earlier one of that name is unchanged.
        TypeError: ``meta`` holds a value that JSON cannot represent.
    """
    path = Path(path)
    if path.suffix == '.safetensors':
        header = {META_KEY: json.dumps(checkpoint.get('meta', {}))}
        state = {
            name: value.detach().cpu().contiguous().clone()
            for name, value in checkpoint['state_dict'].items()
        }
        with atomic_file(path, shared) as partial:
            save_file(state, partial, header)
    else:
        with atomic_file(path, shared) as partial:
            torch.save(dict(checkpoint), partial)
