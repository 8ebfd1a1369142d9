import os
from pathlib import Path

import pytest
import torch

from mmmsf.engine.resume.find_checkpoint import checkpoint_fault, find_checkpoint


def save(folder: Path, name: str, time: int) -> Path:
    """A checkpoint of that modification time."""
    path = folder / name
    torch.save(
        dict(meta=dict(epoch=1, iter=3), message_hub=dict(), state_dict=dict(a=torch.arange(1000))),
        path,
    )
    os.utime(path, (time, time))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of nine epochs that wrote its last note after the ninth."""
    for number in (8, 9, 10):
        save(tmp_path, f'epoch_{number}.pth', number)
    save(tmp_path, 'best_mAP_epoch_9.pth', 99)
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/epoch_10.pth')
    return tmp_path


def cut(path: Path) -> None:
    stat = path.stat()
    path.write_bytes(path.read_bytes()[:-100])
    os.utime(path, (stat.st_mtime, stat.st_mtime))


def test_the_noted_one_is_taken(folder: Path) -> None:
    assert find_checkpoint(folder) == folder / 'epoch_10.pth'
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_10.pth'))
    assert find_checkpoint(folder) == folder / 'epoch_10.pth'


def test_none_where_nothing_was_written(tmp_path: Path) -> None:
    assert find_checkpoint(tmp_path) is None
    assert find_checkpoint(tmp_path / 'new') is None
    (tmp_path / 'epoch_1.pth.partial').write_bytes(b'x')
    assert find_checkpoint(tmp_path) is None


@pytest.mark.parametrize('note', [None, '', 'epoch_7.pth'])
def test_without_a_note_the_newest_is_taken(folder: Path, note: str | None) -> None:
    (folder / 'last_checkpoint').unlink()
    if note is not None:
        (folder / 'last_checkpoint').write_text(note)
    assert find_checkpoint(folder) == folder / 'epoch_10.pth'


def test_a_run_killed_before_its_note_goes_on_from_the_newer_one(folder: Path) -> None:
    (folder / 'last_checkpoint').write_text('epoch_9.pth')
    assert find_checkpoint(folder) == folder / 'epoch_10.pth'


def test_neither_new_times_nor_old_numbers_mislead(folder: Path) -> None:
    os.utime(folder / 'epoch_8.pth', (50, 50))  # a copied folder
    assert find_checkpoint(folder) == folder / 'epoch_10.pth'
    save(folder, 'epoch_80.pth', 5)  # a longer run from before
    assert find_checkpoint(folder) == folder / 'epoch_10.pth'


def test_corrupt_ones_are_named_and_skipped(folder: Path, capture_log: list[str]) -> None:
    cut(folder / 'epoch_10.pth')
    (folder / 'epoch_9.pth').write_bytes(b'')
    assert find_checkpoint(folder) == folder / 'epoch_8.pth'
    assert len(capture_log) == 2
    for line, name in zip(sorted(capture_log), ('epoch_10.pth', 'epoch_9.pth'), strict=True):
        assert line.startswith('Corrupt checkpoint') and name in line


def test_no_valid_one_is_an_error(folder: Path) -> None:
    for number in (8, 9, 10):
        cut(folder / f'epoch_{number}.pth')
    with pytest.raises(ValueError, match=r'no checkpoint in .* is valid: .*epoch_10.*epoch_8'):
        find_checkpoint(folder)


def test_other_names(folder: Path) -> None:
    (folder / 'last_checkpoint').unlink()
    save(folder, 'step-12.ckpt', 1)
    assert find_checkpoint(folder, ['step-{}.ckpt']) == folder / 'step-12.ckpt'


def test_faults(folder: Path) -> None:
    path = folder / 'epoch_9.pth'
    assert checkpoint_fault(path) is None
    data = bytearray(path.read_bytes())
    place = data.find(torch.arange(500, 504).numpy().tobytes())
    data[place] ^= 1
    path.write_bytes(data)
    assert 'is corrupt' in str(checkpoint_fault(path))
    torch.save(dict(state_dict=dict()), path)
    assert checkpoint_fault(path) == 'it has no meta, message_hub'
    torch.save([1], path)
    assert checkpoint_fault(path) == 'it has no meta, state_dict, message_hub'
    assert 'FileNotFoundError' in str(checkpoint_fault(folder / 'none.pth'))


@pytest.mark.parametrize('length', [0, 10, 1000, -200, -1])
def test_a_file_cut_anywhere_is_no_checkpoint(folder: Path, length: int) -> None:
    path = folder / 'epoch_9.pth'
    path.write_bytes(path.read_bytes()[:length])
    assert checkpoint_fault(path) is not None


def test_a_checkpoint_that_runs_code_is_not_run(folder: Path) -> None:

    class Attack:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(folder / 'owned'),)

    torch.save(dict(meta=dict(), state_dict=dict(), message_hub=Attack()), folder / 'epoch_9.pth')
    assert 'UnpicklingError' in str(checkpoint_fault(folder / 'epoch_9.pth'))
    assert not (folder / 'owned').exists()
