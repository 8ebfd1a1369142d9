"""Processes that have mmmsf imported and have run nothing, for tests that train in them.

A fork of the test process itself may not run autograd once a test before it has, and a fresh
process takes ten seconds to import the frameworks. These fork from a server that only imports them.
"""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from typing import Any

_CONTEXT = multiprocessing.get_context('forkserver')
_CONTEXT.set_forkserver_preload(['mmmsf', 'mmengine.runner', 'tests.run_tool'])


def _run(environment: dict[str, str], target: Callable[..., None], arguments: tuple) -> None:
    os.environ.update(environment)
    target(*arguments)


def start_process(
    target: Callable[..., None], *arguments: Any, **environment: str
) -> ForkServerProcess:
    """Call ``target(*arguments)``, a function of a module, in a process of its own.

    It sees the environment of when the first one was started, and ``environment``.
    """
    environment.setdefault('OMP_NUM_THREADS', '1')
    process = _CONTEXT.Process(target=_run, args=(environment, target, arguments))
    process.start()
    return process
