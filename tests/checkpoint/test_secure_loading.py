import os
from pathlib import Path

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader, load_checkpoint
from mmengine.runner.checkpoint import load_from_local as original

from mmmsf.checkpoint.files import load_from_local
from mmmsf.checkpoint.secure_loading import secure_checkpoint_loading, secure_loading

FORCE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'


class Attack:
    def __reduce__(self) -> tuple:
        return os.mkdir, ('owned',)


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(FORCE, raising=False)
    torch.save(dict(state_dict={}, attack=Attack()), 'x.pth')
    return 'x.pth'


def test_the_block_refuses_and_restores(hostile: str) -> None:
    schemes = dict(CheckpointLoader._schemes)
    assert schemes[''] is original
    with pytest.raises(ValueError, match=r'x\.pth cannot be read'), secure_loading():
        assert os.environ[FORCE] == '1'
        load_checkpoint(torch.nn.Linear(1, 1), hostile)
    assert not Path('owned').exists()
    assert CheckpointLoader._schemes == schemes
    assert FORCE not in os.environ


def test_torch_load_is_covered_too(hostile: str) -> None:
    with pytest.raises(Exception, match='[Ww]eights'), secure_loading():
        torch.load(hostile, weights_only=False)
    assert not Path('owned').exists()
    torch.load(hostile, weights_only=False)  # as before the block
    assert Path('owned').exists()


def test_an_inner_block_keeps_the_outer_one(hostile: str) -> None:
    with secure_loading():
        with secure_loading():
            pass
        assert CheckpointLoader._schemes[''] is load_from_local
        assert os.environ[FORCE] == '1'
    assert CheckpointLoader._schemes[''] is original


def test_a_user_s_own_value_of_the_variable_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FORCE, '0')
    with secure_loading():
        assert os.environ[FORCE] == '1'
    assert os.environ[FORCE] == '0'


def test_the_call_holds_and_may_be_repeated(hostile: str) -> None:
    secure_checkpoint_loading()
    schemes = dict(CheckpointLoader._schemes)
    secure_checkpoint_loading()
    assert CheckpointLoader._schemes == schemes
    assert all(getattr(one, '__wrapped__', one) is not original for one in schemes.values())
    with pytest.raises(ValueError, match=r'x\.pth cannot be read'):
        load_checkpoint(torch.nn.Linear(1, 1), hostile)
