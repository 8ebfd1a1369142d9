"""Atomic writes: a file holds its old content or all of the new, whenever the process ends."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = '.partial'  # suffix of a file that is being written


def _sync(path: Path) -> None:
    """Flush the content of a file or the entries of a folder to the disk."""
    folder = path.is_dir()
    if folder and os.name == 'nt':
        return
    handle = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        if not folder or error.errno != errno.EINVAL:  # some network file systems sync no folders
            raise
    finally:
        os.close(handle)


@contextmanager
def atomic_file(path: str | Path, shared: bool = False, size: int | None = None) -> Iterator[Path]:
    """Write a file so that ``path`` holds the old content or all of the new, never a part.

    The block writes to the path that it is given, ``<path>.partial`` in the same folder. At its
    end the content is flushed to the disk and the file renamed; a process that is killed leaves at
    most the partial file behind. A missing folder is created.

    Args:
        path: Target.
        shared: Other processes may write the same file at the same time; the partial file then
            has a unique name, which no later run overwrites.
        size: Bytes of the content, for the error message.

    Raises:
        OSError: The file cannot be written (full disk, permissions); the message names it and the
            reason. The partial file is removed and ``path`` is unchanged.
    """
    path = Path(path)
    unique = f'.{uuid.uuid4().hex}' if shared else ''
    partial = path.with_name(path.name + unique + PARTIAL)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        partial.touch()
        mode = partial.stat().st_mode  # by the umask; some writers create private files
        yield partial
        partial.chmod(mode)
        _sync(partial)
        os.replace(partial, path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        free = shutil.disk_usage(path.parent).free
        what = 'cannot write it' if size is None else f'cannot write {size / 2**20:.1f} MB'
        raise OSError(
            error.errno,
            f'{error.strerror or error}: {what}, {free / 2**20:.1f} MB are free '
            'there; an earlier file of that name is unchanged',
            str(path),
        ) from error
    _sync(path.parent)


def write_atomically(path: str | Path, data: bytes | memoryview, shared: bool = False) -> None:
    """Write bytes; see :func:`atomic_file`."""
    with atomic_file(path, shared, len(data)) as partial, open(partial, 'wb') as file:
        file.write(data)
