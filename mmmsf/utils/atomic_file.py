"""Files that are either whole or not there, whenever the process ends."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = '.partial'  # what is still being written ends in this


def _sync(path: Path) -> None:
    """Have a file's bytes or a folder's entries on the disk, where the system can do that."""
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
def whole_file(path: str | Path, shared: bool = False, size: int | None = None) -> Iterator[Path]:
    """Write a file so that ``path`` holds the old content or all of the new, never a part.

    The block writes to the path that it gets, ``<path>.partial`` in the same folder. When it ends,
    the bytes go to the disk and the file gets its name; a process that is killed leaves no more
    than that partial file behind. The folder is made where there is none.

    Args:
        path: the file.
        shared: other processes may write the same file at this moment; the partial file then has a
            name of its own, which no later run overwrites.
        size: bytes of the content, for the message of an error.

    Raises:
        OSError: the disk is full, or the like; says which file and why. The partial file is gone
            and what was at ``path`` is untouched.
    """
    path = Path(path)
    own = f'.{uuid.uuid4().hex}' if shared else ''
    partial = path.with_name(path.name + own + PARTIAL)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        partial.touch()
        mode = partial.stat().st_mode  # as the umask wants it; some writers make private files
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
            'there; the files before it are untouched',
            str(path),
        ) from error
    _sync(path.parent)


def write_atomically(path: str | Path, data: bytes | memoryview) -> None:
    """Write bytes; see :func:`whole_file`."""
    with whole_file(path, size=len(data)) as partial, open(partial, 'wb') as file:
        file.write(data)
