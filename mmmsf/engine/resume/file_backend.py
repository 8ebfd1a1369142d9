"""How checkpoints reach the disk."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from mmengine.fileio import LocalBackend, register_backend

from mmmsf.utils.atomic_file import write_atomically

ATOMIC = 'mmmsf.atomic'  # as in `backend_args=dict(backend='mmmsf.atomic')`


class AtomicBackend(LocalBackend):
    """MMEngine's local files, each of which is written whole or not at all."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes; see :func:`mmmsf.utils.atomic_file.write_atomically`."""
        write_atomically(filepath, obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text; see :func:`mmmsf.utils.atomic_file.write_atomically`."""
        write_atomically(filepath, obj.encode(encoding))


register_backend(ATOMIC, AtomicBackend, force=True)


class PatientBackend:
    """A file backend whose removals wait until :meth:`carry_out`.

    MMEngine removes the outdated checkpoint before it writes the new one. Behind this, both are
    there until the new one is whole.

    Args:
        backend: what does everything else.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.waiting: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        """Remove the file, later."""
        self.waiting.append(path)

    rmtree = remove

    def carry_out(self, keep: Collection[str | None] = ()) -> None:
        """Remove now what waits, but for what was written again in the meantime."""
        waiting, self.waiting = self.waiting, []
        for path in waiting:
            if path in keep:
                continue
            if self._backend.isfile(path):
                self._backend.remove(path)
            elif self._backend.isdir(path):
                self._backend.rmtree(path)
