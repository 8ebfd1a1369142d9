import errno
import os
from pathlib import Path

import pytest

from mmmsf.utils import atomic_file
from mmmsf.utils.atomic_file import write_atomically
from tests.helpers.file_size_limit import file_size_limit


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'a.pth'
    for data in (b'one', b'another'):
        write_atomically(path, data)
        assert path.read_bytes() == data
    assert [one.name for one in path.parent.iterdir()] == ['a.pth']


def test_a_write_that_the_system_refuses_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    write_atomically(path, b'old')
    with file_size_limit(2**16), pytest.raises(OSError) as caught:
        write_atomically(path, bytes(2**18))
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename == str(path)
    assert 'File too large: cannot write 0.2 MB' in str(caught.value)
    assert path.read_bytes() == b'old'
    assert [one.name for one in tmp_path.iterdir()] == ['a.pth']


@pytest.mark.parametrize('step', ['fsync', 'replace'])
def test_a_disk_that_is_full_only_at_the_end(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / 'a.pth'
    write_atomically(path, b'old')
    monkeypatch.setattr(atomic_file.os, step, refuse)
    with pytest.raises(OSError, match=r'No space left on device: cannot write 0.0 MB.*a\.pth'):
        write_atomically(path, b'new')
    monkeypatch.undo()
    assert path.read_bytes() == b'old'
    assert [one.name for one in tmp_path.iterdir()] == ['a.pth']


def test_the_bytes_are_on_the_disk_before_the_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    for step in ('fsync', 'replace'):
        real = getattr(os, step)
        monkeypatch.setattr(
            atomic_file.os, step, lambda *a, s=step, r=real: (order.append(s), r(*a))[1]
        )
    write_atomically(tmp_path / 'a.pth', b'new')
    assert order == ['fsync', 'replace', 'fsync']  # the file, its name, the folder
