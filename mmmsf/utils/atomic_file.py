"""Files that are either whole or not there, whenever the process ends."""

import errno
import os
import shutil
from pathlib import Path

PARTIAL = '.partial'  # what is still being written ends in this


def _sync_folder(folder: Path) -> None:
    """Have the folder's entries on the disk, where the system can do that."""
    if os.name == 'nt':
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems sync no folders
            raise
    finally:
        os.close(handle)


def write_atomically(path: str | Path, data: bytes | memoryview) -> None:
    """Write a file so that ``path`` holds the old content or all of the new, never a part.

    The bytes go to ``<path>.partial`` in the same folder and to the disk before the file gets its
    name; a process that is killed leaves no more than that partial file behind.

    Raises:
        OSError: the disk is full, or the like; says which file, how large and why. The partial
            file is gone and what was at ``path`` is untouched.
    """
    path = Path(path)
    partial = path.with_name(path.name + PARTIAL)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(partial, 'wb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        free = shutil.disk_usage(path.parent).free
        raise OSError(
            error.errno, f'{error.strerror or error}: cannot write {len(data) / 2**20:.1f} MB, '
            f'{free / 2**20:.1f} MB are free there; the files before it are untouched',
            str(path)) from error
    _sync_folder(path.parent)
