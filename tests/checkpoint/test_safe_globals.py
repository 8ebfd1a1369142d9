import io
import pickle
from pathlib import Path

import mmengine.optim
import numpy as np
import pytest
import torch
from mmengine.logging.history_buffer import HistoryBuffer

from mmmsf.checkpoint.safe_globals import safe_globals


def safe_load(content: object) -> object:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    buffer.seek(0)
    with safe_globals():
        return torch.load(buffer, weights_only=True)


def test_what_mmengine_saves_is_read() -> None:
    history = HistoryBuffer()
    history.update(1.5, 2)
    loaded = safe_load(dict(history=history, scalar=np.float64(2.5), array=np.arange(3)))
    assert loaded['history'].current() == 1.5
    assert loaded['scalar'] == 2.5
    assert loaded['array'].tolist() == [0, 1, 2]


def test_the_one_cycle_state_of_mmengine_is_read() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = mmengine.optim.OneCycleLR(optimizer, total_steps=5, eta_max=1.0, by_epoch=False)
    assert callable(safe_load(scheduler.state_dict())['anneal_func'])


class _Attack:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


class _GetattrAttack:
    def __reduce__(self) -> tuple:
        return getattr, (HistoryBuffer, '__init__')


def test_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(pickle.UnpicklingError):
        safe_load(_Attack(tmp_path / 'owned'))
    assert not (tmp_path / 'owned').exists()


def test_getattr_gives_nothing_else() -> None:
    with pytest.raises((AttributeError, pickle.UnpicklingError), match='may not read'):
        safe_load(_GetattrAttack())


class _Own:
    pass


def test_the_list_of_torch_is_restored() -> None:
    """An entry that was admitted before the block, and one that the block admits too, stay."""
    before = torch.serialization.get_safe_globals()
    try:
        torch.serialization.add_safe_globals([_Own, HistoryBuffer])
        admitted = set(torch.serialization.get_safe_globals())
        with pytest.raises(KeyError), safe_globals(), safe_globals():
            assert admitted < set(torch.serialization.get_safe_globals())
            raise KeyError
        assert set(torch.serialization.get_safe_globals()) == admitted
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)
