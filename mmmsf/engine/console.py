"""Console of a run: the log without its pages of set-up, which the log file keeps.

Messages of :data:`SET_UP` do not reach the console; all others do, and errors always. A
``--verbose`` of ``tools/train.py`` and ``tools/test.py`` shows everything.
"""

import contextlib
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size
from mmengine.logging import MMLogger
from mmengine.runner import Runner

# Beginnings of messages, without leading line breaks and rules.
SET_UP = (
    'System environment:',
    'Config:',
    'Hooks will be executed in the following order:',
    'paramwise_options -- ',
    'Distributed training is not used, all SyncBatchNorm',
    'Exp name: ',
    # MMEngine's checkpoint hook warns of MMEngine's own names.
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias of',
)
_LOADING = 'Loads checkpoint by '  # printed, not logged; a logged line names the file again


class ConsoleFilter(logging.Filter):
    """Reject the messages of :data:`SET_UP` below the level of an error."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True for a message to show."""
        if record.levelno >= logging.ERROR:
            return True
        return not record.getMessage().lstrip('\n-').startswith(SET_UP)


@contextlib.contextmanager
def _without_lines(start: str) -> Iterator[None]:
    """Print what the block prints, at its end, without the lines that begin with ``start``."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            yield
    finally:
        for line in printed.getvalue().splitlines():
            if not line.startswith(start):
                print(line)


class QuietRunner(Runner):
    """Run as MMEngine's ``Runner``, with the messages of :data:`SET_UP` in the log file only."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger and filter its console."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.addFilter(ConsoleFilter())
        return logger

    def load_checkpoint(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Load a checkpoint."""
        with _without_lines(_LOADING):
            return super().load_checkpoint(*args, **kwargs)


def announce(runner: Runner, task: str) -> None:
    """Log one line with the task, the device, the work dir and its folder with the log.

    Args:
        runner: Runner, built and not yet run.
        task: Beginning of the line.
    """
    device = next(runner.model.parameters()).device
    count = get_world_size()
    where = f'{count} processes, {device.type}' if count > 1 else str(device)
    log_dir = Path(runner._log_dir).name
    runner.logger.info(f'{task} on {where}; work dir {runner.work_dir}, log in {log_dir}')
