"""Run a command-line tool inside the test process: seconds faster than a process of its own."""

import contextlib
import importlib.util
import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from mmengine.logging import MessageHub, MMLogger

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


def run_tool(folder: Path, tool: str, *arguments: str) -> SimpleNamespace:
    """Call the ``main`` of ``tools/<tool>`` in ``folder``.

    Returns:
        ``returncode``, ``stdout`` and ``stderr``, as of a process; an exception of another kind
        than SystemExit is raised.
    """
    spec = importlib.util.spec_from_file_location(f'tool_{Path(tool).stem}', TOOLS / tool)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    out, err, code, here = io.StringIO(), io.StringIO(), 0, os.getcwd()
    path = [str((TOOLS / tool).parent), *sys.path]
    # Named by the second in which a run starts: two runs in one second would share them
    for shared in (MessageHub, MMLogger):
        shared._instance_dict.clear()
    os.chdir(folder)
    try:
        with (
            mock.patch.object(sys, 'argv', [tool, *arguments]),
            mock.patch.object(sys, 'path', path),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            spec.loader.exec_module(module)
            module.main()
    except SystemExit as exit_:
        # Python prints a message and exits with 1
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        err.write('' if isinstance(exit_.code, int | None) else f'{exit_.code}\n')
    finally:
        os.chdir(here)
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())
