"""Parsed annotations, kept in a file so that the next start need not parse them again.

A file of the cache is named after the content that it was made from, so it cannot be stale: an
annotation file that changes has another name here, wherever it lies and whatever its date. Files
are complete or not there at all, hold plain arrays (reading one runs no code), and may be deleted
at any time.
"""

import functools
import hashlib
import logging
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmmsf.utils.atomic_file import atomic_file

from .packed_labels import LabelTable

# Part of every file's name: raise it when the arrays, or the rules that make them, change.
FORMAT = 1
# Below, parsing takes milliseconds and a file in the cache would be litter.
MIN_BYTES = 1 << 20


def default_cache_dir() -> str:
    """``$MMMSF_CACHE_DIR``, else ``mmmsf`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    base = os.environ.get('XDG_CACHE_HOME') or os.path.join('~', '.cache')
    return os.environ.get('MMMSF_CACHE_DIR') or os.path.join(base, 'mmmsf')


def cache_path(cache_dir: str, content: bytes) -> str:
    """The file that caches ``content``: named by its SHA-256 and ``FORMAT``."""
    digest = hashlib.sha256(content).hexdigest()
    return os.path.join(os.path.expanduser(cache_dir), f'labels-v{FORMAT}-{digest}.npz')


@functools.cache
def _warn_once(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)


def read_cache(path: str) -> LabelTable | None:
    """The table in ``path``, or None if there is none or it is damaged (logged)."""
    try:
        with np.load(path, allow_pickle=False) as file:
            # np.load alone does not say for whom a file was made; a copy may have another's name
            if file['made_for'].item() != os.path.basename(path):
                raise ValueError('made for another file')
            return LabelTable.from_arrays({name: file[name] for name in file.files})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Exception as error:  # whatever broke it, the annotations themselves are there
        print_log(
            f'{path}: this cache file is not read ({type(error).__name__}: {error}); the '
            'annotations are parsed again',
            logger='current',
            level=logging.WARNING,
        )
        return None


def write_cache(path: str, table: LabelTable) -> None:
    """Write ``path`` in one step: another process sees all of it or nothing.

    A folder that cannot be written, or a full disk, is logged once a folder and no error.
    """
    folder, name = os.path.split(path)
    arrays: dict[str, Any] = table.to_arrays()
    try:
        with atomic_file(path, shared=True) as partial, open(partial, 'wb') as file:
            np.savez(file, made_for=np.array(name), **arrays)
    except OSError as error:
        _warn_once(
            f'{folder}: annotations cannot be cached here ({error.strerror or error}), so '
            'every start parses them; set cache_dir of the dataset or MMMSF_CACHE_DIR to a '
            'folder that can be written'
        )


def cached_table(
    content: bytes,
    parse: Callable[[], LabelTable],
    cache_dir: str | None,
) -> LabelTable:
    """The table of ``content``, from the cache if it is there.

    Args:
        content: the annotation file.
        parse: makes its table; what it raises is raised, and nothing is cached.
        cache_dir: folder of the cache; None neither reads nor writes one. Content of less than
            ``MIN_BYTES`` is not cached.
    """
    if cache_dir is None or len(content) < MIN_BYTES:
        return parse()
    path = cache_path(cache_dir, content)
    table = read_cache(path)
    if table is None:
        table = parse()
        write_cache(path, table)
    return table
