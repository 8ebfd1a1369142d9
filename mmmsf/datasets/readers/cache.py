"""On-disk cache of parsed annotations, keyed by the content of the annotation file.

A cache file is named after the hash of the content it was made from, so it cannot be stale, and
path and date of the annotation file do not matter. Files are written atomically, hold plain arrays
(reading one runs no code), and may be deleted at any time.
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

# Part of every file name: raise it when the arrays, or the rules that make them, change.
FORMAT = 2
MIN_BYTES = 1 << 20  # smaller files are parsed in milliseconds


def default_cache_dir() -> str:
    """Return ``$MMMSF_CACHE_DIR``, else ``mmmsf`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    base = os.environ.get('XDG_CACHE_HOME') or os.path.join('~', '.cache')
    return os.environ.get('MMMSF_CACHE_DIR') or os.path.join(base, 'mmmsf')


def cache_path(cache_dir: str, content: bytes, variant: str = '') -> str:
    """Return the path of the file that caches ``content``, named by its SHA-256 and ``FORMAT``."""
    digest = hashlib.sha256(content).hexdigest()
    return os.path.join(os.path.expanduser(cache_dir), f'labels-v{FORMAT}-{digest}{variant}.npz')


@functools.cache
def _warn_once(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)


def read_cache(path: str) -> LabelTable | None:
    """Read the table in ``path``; None if it does not exist or is corrupt (logged)."""
    try:
        with np.load(path, allow_pickle=False) as file:
            # A copied file may carry the name of another
            if file['made_for'].item() != os.path.basename(path):
                raise ValueError('made for another file')
            return LabelTable.from_arrays({name: file[name] for name in file.files})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Exception as error:  # a corrupt cache is never fatal: the annotations are there
        print_log(
            f'{path}: corrupt cache file ({type(error).__name__}: {error}); the annotations are '
            'parsed again',
            logger='current',
            level=logging.WARNING,
        )
        return None


def write_cache(path: str, table: LabelTable) -> None:
    """Write ``path`` atomically.

    A folder that cannot be written or a full disk is logged, once per folder, and not an error.
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
    variant: str = '',
) -> LabelTable:
    """Return the table of an annotation file, from the cache if possible.

    Args:
        content: Bytes of the annotation file; fewer than ``MIN_BYTES`` are not cached.
        parse: Parser of ``content``; its errors propagate, and nothing is cached then.
        cache_dir: Folder of the cache; None disables it.
        variant: Part of the file's name that tells apart results of other options.
    """
    if cache_dir is None or len(content) < MIN_BYTES:
        return parse()
    path = cache_path(cache_dir, content, variant)
    table = read_cache(path)
    if table is None:
        table = parse()
        write_cache(path, table)
    return table
