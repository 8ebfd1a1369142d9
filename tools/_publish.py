"""Reduction of a training checkpoint to the parts that prediction needs."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from mmmsf.version import __version__

_AVERAGE_PREFIX = 'module.'  # of the weights in the second set of MMEngine's EMAHook


def raw_weights(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the weights as trained, of a checkpoint whose training kept an average of them.

    MMEngine's EMAHook swaps the two sets when it saves: ``state_dict`` holds the average and
    ``ema_state_dict`` the weights as trained, with a prefix.

    Raises:
        ValueError: The checkpoint has no second set, or its names are not those of the first.
    """
    second = checkpoint.get('ema_state_dict')
    if second is None:
        raise ValueError('its training kept no average of the weights; there is one set only')
    state = {
        name.removeprefix(_AVERAGE_PREFIX): value
        for name, value in second.items()
        if name.startswith(_AVERAGE_PREFIX)
    }
    if state.keys() != checkpoint['state_dict'].keys():
        differing = sorted(state.keys() ^ checkpoint['state_dict'].keys())
        raise ValueError(f'its two sets of weights differ in names: {", ".join(differing[:4])}')
    return state


def _plain(value: Any) -> Any:
    """Convert to numbers, strings, lists and dicts, which both file formats can store."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def published(
    checkpoint: Mapping[str, Any], metrics: Mapping[str, float] | None = None, raw: bool = False
) -> dict[str, Any]:
    """Copy the weights and the meta data that prediction needs.

    Args:
        checkpoint: Checkpoint of :func:`mmmsf.checkpoint.read_checkpoint`.
        metrics: Metrics to store; by default those in the checkpoint.
        raw: Take the weights as trained and not their average. The thresholds, calibration and
            metrics in the checkpoint belong to the average and are dropped.

    Returns:
        ``state_dict`` and ``meta``, the latter with ``mmmsf_version`` and, where known, ``cfg``
        (text), ``dataset_meta`` (names of classes, groups), ``thresholds``, ``calibration``,
        ``metrics``, ``epoch`` and ``iter``.

    Raises:
        ValueError: ``raw`` is True and there is no second set of weights.
    """
    source = checkpoint['meta']
    of_weights = [] if raw else ['thresholds', 'calibration', 'metrics']
    keys = ['cfg', 'epoch', 'iter', *of_weights]
    kept: dict[str, Any] = {key: source[key] for key in keys if source.get(key) is not None}
    for key, value in (source.get('dataset_meta') or {}).items():
        if key.lower() in ('classes', 'groups'):
            kept.setdefault('dataset_meta', {})[key.lower()] = value
    if metrics is not None:
        kept['metrics'] = metrics
    state = raw_weights(checkpoint) if raw else dict(checkpoint['state_dict'])
    return dict(meta=_plain({**kept, 'mmmsf_version': __version__}), state_dict=state)


def file_hash(path: str | Path) -> str:
    """Compute the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
