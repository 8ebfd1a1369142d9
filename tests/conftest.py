"""Fixtures of all tests."""

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# The tests run on the CPU, where results are reproducible to the bit; test_gpu.py needs a GPU. The
# frameworks query the devices at import.
if os.environ.get('MMMSF_TEST_GPU') != '1':
    os.environ['CUDA_VISIBLE_DEVICES'] = ''
# One thread for each process: pytest's workers and the tools that they start share the cores.
os.environ.setdefault('OMP_NUM_THREADS', '1')

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import CheckpointLoader

import mmmsf  # noqa: F401  declares the registries

# The tools import the helpers beside them from the script's folder, which Python puts first.
TOOLS = Path(__file__).resolve().parents[1] / 'tools'
sys.path += [str(TOOLS), *sorted(str(path) for path in TOOLS.iterdir() if path.is_dir())]

# The tools set this; tests of saving and loading run under the same rule.
os.environ.setdefault('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope='session')
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('MMMSF_CACHE_DIR', str(tmp_path_factory.mktemp('cache')))
        yield


_SCOPES = DefaultScope._instance_dict.copy()


@pytest.fixture(autouse=True)
def _restored_scope() -> None:
    """Remove the default scope that a Runner of an earlier test has left."""
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(_SCOPES)


_LOADERS = CheckpointLoader._schemes.copy()


@pytest.fixture(autouse=True)
def _restored_loaders() -> None:
    """Restore MMEngine's checkpoint loaders, which every tool replaces for its process."""
    CheckpointLoader._schemes = _LOADERS.copy()


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def capture_log() -> Iterator[list[str]]:
    """Collect the messages of MMEngine's current logger while the test runs."""
    logger, handler = MMLogger.get_current_instance(), _Lines()
    logger.addHandler(handler)
    yield handler.lines
    logger.removeHandler(handler)
