"""Processes that have imported mmmsf and run nothing, for tests that train in them.

A fork of the test process must not run autograd after an earlier test has, and a fresh process
takes ten seconds to import the frameworks. These fork from a server that has only imported them.
"""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from typing import Any

_CONTEXT = multiprocessing.get_context('forkserver')
_CONTEXT.set_forkserver_preload(['mmmsf', 'mmengine.runner', 'tests.helpers.run_tool'])


def _run(environment: dict[str, str], target: Callable[..., None], arguments: tuple) -> None:
    os.environ.update(environment)
    target(*arguments)


def start_process(
    target: Callable[..., None], *arguments: Any, **environment: str
) -> ForkServerProcess:
    """Call ``target(*arguments)``, a function of a module, in a process of its own.

    Its environment is that of the first call, updated by ``environment``.
    """
    environment.setdefault('OMP_NUM_THREADS', '1')
    process = _CONTEXT.Process(target=_run, args=(environment, target, arguments))
    process.start()
    return process
