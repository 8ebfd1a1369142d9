"""Importing the package registers its components, changes nothing else and costs little."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import mmengine.registry
import mmpretrain.registry
import pytest

from .helpers.clean_process import start_process

ROOT = Path(__file__).resolve().parents[1]

# The libraries that the rooms need come first: their imports may change the process.
STATE = """
import sys
import cv2, matplotlib.font_manager, mmpretrain.apis, mmpretrain.models
import pycocotools.mask, safetensors, torchvision
import tests.helpers.process_state as state
before, modules = state.process_state(), set(sys.modules)
import mmmsf
loaded = set(sys.modules) - modules
rooms = {f'mmmsf.{room}' for room in mmmsf._ROOMS}
assert 'mmmsf.registry' in loaded and not rooms & loaded, rooms & loaded
assert all(name.split('.')[0] == 'mmmsf' for name in loaded), loaded
assert not state.changed(before), f'import mmmsf: {state.changed(before)}'
for room in mmmsf._ROOMS:
    getattr(mmmsf, room)
    assert not state.changed(before), f'mmmsf.{room}: {state.changed(before)}'
import mmmsf.engine.resume.file_backend
assert not state.changed(before), state.changed(before)
"""

HEAVY = {'matplotlib', 'sklearn', 'pandas', 'onnx', 'mmmsf.apis', 'mmmsf.report', 'mmmsf.deploy'}


def test_import_changes_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', STATE],
        cwd=ROOT,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def _start_tool() -> None:
    from _cli import harden

    harden()
    importlib.import_module('mmmsf.engine.launch')
    importlib.import_module('mmmsf.engine.evaluation_run')
    assert not HEAVY & sys.modules.keys(), HEAVY & sys.modules.keys()


def test_the_start_of_a_tool_loads_no_library_in_vain() -> None:
    process = start_process(_start_tool)
    process.join(timeout=100)
    assert process.exitcode == 0


def registered() -> dict[str, list[str]]:
    """Map each registry to the names that the sources of the package register there."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / 'mmmsf').rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            for call in getattr(node, 'decorator_list', []):
                function = ast.unparse(call.func) if isinstance(call, ast.Call) else ''
                if function.endswith('.register_module'):
                    given = [word.value for word in call.keywords if word.arg == 'name']
                    name = ast.literal_eval(given[0]) if given else node.name
                    found.setdefault(function.split('.')[0], []).append(name)
    return found


REGISTERED = registered()


def _resolve(registry: str, names: list[str]) -> None:
    where = mmpretrain.registry if registry == 'BATCH_AUGMENTS' else mmengine.registry
    root = getattr(where, registry)
    assert 'mmmsf' in sys.modules and 'mmmsf.models' not in sys.modules
    missing = [name for name in names if root.get(f'mmmsf.{name}') is None]
    assert not missing, missing


def test_all_kinds_of_components_are_there() -> None:
    assert {'MODELS', 'DATASETS', 'TRANSFORMS', 'METRICS', 'HOOKS', 'LOOPS'} <= REGISTERED.keys()
    assert 'MSFHead' in REGISTERED['MODELS'] and 'AmpOptimWrapper' in REGISTERED['OPTIM_WRAPPERS']


@pytest.mark.parametrize('registry', REGISTERED)
def test_components_resolve_after_nothing_but_the_import(registry: str) -> None:
    process = start_process(_resolve, registry, REGISTERED[registry])
    process.join(timeout=100)
    assert process.exitcode == 0
