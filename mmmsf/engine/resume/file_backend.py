"""File backends that write atomically and defer removals."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from mmengine.fileio import LocalBackend, register_backend

from mmmsf.utils.atomic_file import write_atomically


class AtomicBackend(LocalBackend):
    """Write local files atomically; otherwise as MMEngine's ``LocalBackend``."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes; see :func:`mmmsf.utils.atomic_file.write_atomically`."""
        write_atomically(filepath, obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text; see :func:`mmmsf.utils.atomic_file.write_atomically`."""
        write_atomically(filepath, obj.encode(encoding))


def register_atomic_backend() -> str:
    """Register :class:`AtomicBackend` with MMEngine, and return the name for ``backend_args``.

    MMEngine finds the backend of a checkpoint by name only. A training registers it when it
    starts; importing this module does not.
    """
    name = 'mmmsf.atomic'
    register_backend(name, AtomicBackend, force=True)
    return name


class DeferringBackend:
    """Defer the removals of a file backend until :meth:`remove_deferred`.

    MMEngine removes the outdated checkpoint before it writes the new one. Behind this backend both
    exist until the new one is complete.

    Args:
        backend: Backend for all other operations.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.deferred: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        """Mark the file for removal."""
        self.deferred.append(path)

    rmtree = remove

    def remove_deferred(self, keep: Collection[str | None] = ()) -> None:
        """Remove the marked files, except those of ``keep``, which were written again."""
        deferred, self.deferred = self.deferred, []
        for path in deferred:
            if path in keep:
                continue
            if self._backend.isfile(path):
                self._backend.remove(path)
            elif self._backend.isdir(path):
                self._backend.rmtree(path)
