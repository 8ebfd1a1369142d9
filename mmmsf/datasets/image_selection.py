"""Choice of the images of a dataset: indices and filters."""

from collections.abc import Mapping
from typing import Any

from .readers.files import find_repeated, read_text

FILTER_KEYS = ('filter_empty',)


def check_filter_cfg(filter_cfg: Mapping[str, Any] | None) -> None:
    """Refuse a ``filter_cfg`` with unknown keys, which MMEngine would ignore.

    Raises:
        ValueError: A key is not in ``FILTER_KEYS``, or ``filter_empty`` is not a bool.
    """
    if filter_cfg is None:
        return
    unknown = sorted(set(filter_cfg) - set(FILTER_KEYS))
    if unknown:
        raise ValueError(f'filter_cfg may hold the keys {list(FILTER_KEYS)}, got also {unknown}')
    filter_empty = filter_cfg.get('filter_empty', False)
    if not isinstance(filter_empty, bool):
        raise ValueError(f'filter_cfg["filter_empty"] must be True or False, got {filter_empty!r}')


def read_indices(path: str) -> list[int]:
    """Read indices of images from a text file, one a line.

    Raises:
        OSError: ``path`` does not exist or cannot be read.
        ValueError: A line is no index, or an index occurs twice; names the line.
    """
    lines = read_text(path, 'list of indices', 'write an index a line').split()
    wrong = [line for line in lines if not (line.isascii() and line.isdigit())]
    if wrong:
        raise ValueError(f'{path}: must hold an index a line, from 0, got {wrong[0]!r}')
    indices = [int(line) for line in lines]
    repeated = find_repeated(indices)
    if repeated:
        raise ValueError(f'{path}: indices must be distinct, got {repeated[:5]} more than once')
    return indices
