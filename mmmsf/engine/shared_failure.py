"""An error in one process of a distributed run is the error of all."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from mmengine.dist import get_dist_info
from mmengine.logging import MMLogger
from torch import distributed

FAILURE, TOLD = 'mmmsf/failure', 'mmmsf/told'  # keys of the store that the processes share
POLL = 0.5  # seconds between two looks
PATIENCE = 5.0  # seconds for the others to look


class _Listener(Thread):
    """Look every now and then whether another process has failed; log what it says."""

    def __init__(self, store: distributed.Store) -> None:
        super().__init__(daemon=True)
        self._store, self._over = store, Event()
        self.heard: str | None = None

    def run(self) -> None:
        try:
            while not self._over.wait(POLL):
                if self._store.check([FAILURE]):
                    self.heard = self._store.get(FAILURE).decode()
                    MMLogger.get_current_instance().error(self.heard)
                    self._store.add(TOLD, 1)
                    return
        except RuntimeError:  # the process that has the store is gone
            pass

    def end(self) -> str | None:
        """Stop listening; what another process said, if one did."""
        self._over.set()
        self.join()
        return self.heard


def _tell(store: distributed.Store, message: str) -> str:
    """Leave a message for the other processes; the message that was first."""
    first: str = store.compare_set(FAILURE, '', message).decode()
    if first != message:
        store.add(TOLD, 1)
    return first


def _wait(store: distributed.Store, others: int) -> None:
    """Let the others read the message: with a process end its connections, or the store itself."""
    end = time.monotonic() + PATIENCE
    while store.add(TOLD, 0) < others and time.monotonic() < end:
        time.sleep(POLL / 10)


@contextmanager
def shared_failure() -> Iterator[None]:
    """Let all processes name the error that ends the run, wherever it is raised inside.

    By itself only the process that fails knows why. The others wait for it in the next
    exchange until its connections close as it exits, and then know no more than that; or the
    launcher ends them. With this, the process that fails tells them before it exits.

    Raises:
        RuntimeError: this process lost the connection to another, which had failed; the message
            is the other's error. The error of this process itself is raised as it is.
    """
    rank, world_size = get_dist_info()
    if world_size == 1:
        yield
        return
    store = distributed.distributed_c10d._get_default_store()  # there is no public way to it
    listener = _Listener(store)
    listener.start()
    try:
        yield
    except Exception as error:
        own = f'process {rank} of {world_size} failed: {type(error).__name__}: {error}'
        message = listener.end()
        try:
            message = message or _tell(store, own)
            _wait(store, world_size - 1)
        except RuntimeError:  # the process that has the store is gone
            message = message or own
        if message == own:
            raise
        raise RuntimeError(message) from error
    finally:
        listener.end()
