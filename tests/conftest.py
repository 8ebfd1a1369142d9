"""Fixtures for all tests."""

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# The tests are of the CPU, whose results repeat to the bit; test_gpu.py has those of a GPU. The
# frameworks look for one when they are imported.
if os.environ.get('MMMSF_TEST_GPU') != '1':
    os.environ['CUDA_VISIBLE_DEVICES'] = ''

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

import mmmsf  # noqa: F401  registers the components

# The tools' helpers lie beside the tools, which find them as Python puts a script's folder first.
TOOLS = Path(__file__).resolve().parents[1] / 'tools'
sys.path += [str(TOOLS), *sorted(str(path) for path in TOOLS.iterdir() if path.is_dir())]

# The tools set this; tests of saving and loading run under the same rule.
os.environ.setdefault('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope='session')
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or fills the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('MMMSF_CACHE_DIR', str(tmp_path_factory.mktemp('cache')))
        yield


_SCOPES = DefaultScope._instance_dict.copy()


@pytest.fixture(autouse=True)
def _restored_scope() -> None:
    """A Runner leaves its default scope behind; the next test must not find it."""
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(_SCOPES)


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def capture_log() -> Iterator[list[str]]:
    """Messages that reach MMEngine's current logger while the test runs."""
    logger, handler = MMLogger.get_current_instance(), _Lines()
    logger.addHandler(handler)
    yield handler.lines
    logger.removeHandler(handler)
