import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner import load_checkpoint
from safetensors.torch import save_file
from torch.testing import assert_close

from mmmsf.checkpoint.files import META_KEY, read_checkpoint, write_checkpoint
from mmmsf.checkpoint.secure_loading import secure_loading

META = dict(cfg='a = 1', thresholds=[0.25, 0.75], dataset_meta=dict(classes=['ä', 'b']))


def make_state() -> OrderedDict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return OrderedDict(
        weight=torch.rand(4, 3, generator=generator),
        bias=torch.arange(4.0),
        steps=torch.tensor(7),
        half=torch.ones(2).bfloat16(),
    )


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_both_formats_keep_weights_and_meta_data(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f'new/x{suffix}'
    write_checkpoint(path, dict(state_dict=make_state(), meta=META))
    found = read_checkpoint(path)
    assert found['meta'] == META
    assert list(found['state_dict'].keys() - make_state().keys()) == []
    assert_close(dict(found['state_dict']), dict(make_state()), rtol=0, atol=0)
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_all_else_of_a_pth_is_kept(tmp_path: Path) -> None:
    checkpoint = dict(
        state_dict=make_state(),
        meta=META,
        optimizer=dict(lr=0.1, step=(1, 2)),
        message_hub=dict(loss=HistoryBuffer([1.0, 2.0], [1, 1])),
    )
    write_checkpoint(tmp_path / 'a.pth', checkpoint)
    write_checkpoint(tmp_path / 'b.pth', read_checkpoint(tmp_path / 'a.pth'))
    found = read_checkpoint(tmp_path / 'b.pth')
    assert found['optimizer'] == checkpoint['optimizer']
    assert found['message_hub']['loss'].data[0].tolist() == [1.0, 2.0]


def test_views_and_shared_tensors_go_into_safetensors(tmp_path: Path) -> None:
    base = torch.arange(6.0).view(2, 3)
    state = dict(a=base, b=base, c=base.t(), d=torch.nn.Parameter(base[0]))
    write_checkpoint(tmp_path / 'x.safetensors', dict(state_dict=state))
    found = read_checkpoint(tmp_path / 'x.safetensors')['state_dict']
    assert_close(found, {name: value.detach() for name, value in state.items()})


def test_mmengine_loads_safetensors(tmp_path: Path) -> None:
    source, target = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    write_checkpoint(tmp_path / 'x.safetensors', dict(state_dict=source.state_dict(), meta=META))
    with secure_loading():
        assert load_checkpoint(target, str(tmp_path / 'x.safetensors'))['meta'] == META
    assert_close(target.weight, source.weight)


def test_plain_weights_are_wrapped(tmp_path: Path) -> None:
    torch.save(make_state(), tmp_path / 'x.pth')
    save_file(dict(make_state()), tmp_path / 'x.safetensors')
    for name in ('x.pth', 'x.safetensors'):
        found = read_checkpoint(tmp_path / name)
        assert found['meta'] == {}
        assert found['state_dict'].keys() == make_state().keys()


class Attack:
    def __reduce__(self) -> tuple:
        return os.mkdir, ('owned',)


def test_code_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(dict(state_dict=make_state(), meta=dict(x=Attack())), 'x.pth')
    with pytest.raises(ValueError, match='x.pth cannot be read as a checkpoint'):
        read_checkpoint('x.pth')
    assert not Path('owned').exists()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([1], 'holds a list, not a checkpoint'),
        (dict(state_dict=[1]), 'its `state_dict` is a list, not a dict'),
        (dict(state_dict=make_state(), meta='x'), 'its `meta` is a str, not a dict'),
        (dict(state_dict={}), 'holds no weights'),
        (dict(epoch=3), 'holds no weights; these entries are no tensors: epoch'),
    ],
)
def test_other_content_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    torch.save(content, tmp_path / 'x.pth')
    with pytest.raises(ValueError, match=message):
        read_checkpoint(tmp_path / 'x.pth')


@pytest.mark.parametrize('header', ['[1]', '{"a": ', '"x"'])
def test_a_wrong_safetensors_header_is_refused(tmp_path: Path, header: str) -> None:
    save_file(dict(make_state()), tmp_path / 'x.safetensors', {META_KEY: header})
    with pytest.raises(ValueError, match='x.safetensors'):
        read_checkpoint(tmp_path / 'x.safetensors')


@pytest.mark.parametrize('name', ['x.pth', 'x.safetensors'])
def test_corrupt_files_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_checkpoint(path, dict(state_dict=make_state(), meta=META))
    whole = path.read_bytes()
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):  # whatever torch's reader raises becomes one type
        cut, at, byte = (
            int(torch.randint(n, (), generator=generator)) for n in (len(whole), len(whole), 256)
        )
        for corrupt in (whole[:cut], whole[:at] + bytes([byte]) + whole[at + 1 :]):
            path.write_bytes(corrupt)
            try:
                read_checkpoint(path)
            except ValueError as error:
                assert name in str(error)
    path.write_bytes(b'')
    with pytest.raises(ValueError, match=f'{name} cannot be read'):
        read_checkpoint(path)
    with pytest.raises(FileNotFoundError, match='there is no checkpoint'):
        read_checkpoint(tmp_path / 'none.pth')


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / 'x.safetensors'
    write_checkpoint(path, dict(state_dict=make_state(), meta=META))
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_checkpoint(path, dict(state_dict=make_state(), meta=dict(x=object())))
    with pytest.raises(AttributeError):
        write_checkpoint(path, dict(state_dict=dict(a=1), meta=META))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ['x.safetensors']
