import errno
import os
from pathlib import Path
from typing import Any

import pytest
from mmengine.runner import Runner

from mmmsf.checkpoint.files import read_checkpoint
from mmmsf.engine.resume.find_checkpoint import checkpoint_fault, find_checkpoint
from mmmsf.utils import atomic_file
from tests.helpers.file_size_limit import file_size_limit
from tests.helpers.small_run import StopError, StopHook, make_runner


def names(folder: Path) -> list[str]:
    """Files of a run but for its log and config."""
    return sorted(path.name for path in folder.iterdir() if path.is_file() and path.suffix != '.py')


def watch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is renamed and removed, in order."""
    events: list[str] = []
    for verb in ('replace', 'remove'):
        real = getattr(os, verb)
        monkeypatch.setattr(
            os,
            verb,
            lambda *a, v=verb, r=real: (events.append(f'{v} {Path(a[-1]).name}'), r(*a))[1],
        )
    return events


def test_the_new_one_is_whole_before_the_old_ones_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = iter([2.0, 1.0])  # each validation is the best so far
    runner = make_runner(
        tmp_path,
        dict(interval=1, max_keep_ckpts=1, save_best='m/value', rule='less'),
        param_scheduler=None,
    )
    runner._val_evaluator[0].compute_metrics = lambda _: dict(value=next(values))
    events = watch(monkeypatch)
    runner.train()
    first = ['replace epoch_1.pth', 'replace last_checkpoint']
    second = ['replace epoch_2.pth', 'replace last_checkpoint']
    assert [event for event in events if 'epoch' in event or 'last' in event] == [
        *first,
        'replace best_m_value_epoch_1.pth',
        *first,
        *second,
        'remove epoch_1.pth',
        'replace best_m_value_epoch_2.pth',
        *second,
        'remove best_m_value_epoch_1.pth',
    ]
    assert names(tmp_path) == ['best_m_value_epoch_2.pth', 'epoch_2.pth', 'last_checkpoint']
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_2.pth')
    hub = read_checkpoint(tmp_path / 'epoch_2.pth')['message_hub']['runtime_info']
    assert hub['best_score'] == 1.0
    assert hub['keep_ckpt_ids'] == [2]


def test_published_keys(tmp_path: Path) -> None:
    make_runner(tmp_path, dict(interval=1, published_keys=['meta', 'state_dict'])).train()
    [published] = tmp_path.glob('epoch_2-*.pth')
    assert read_checkpoint(published).keys() == {'meta', 'state_dict'}


class LimitHook(StopHook):
    """From the second epoch on no file may grow beyond so many bytes."""

    def __init__(self, size: int) -> None:
        super().__init__('', 0)
        self.limit = file_size_limit(size)

    def before_train_epoch(self, runner: Runner) -> None:
        if runner.epoch == 1:
            self.limit.__enter__()


def test_a_disk_without_room_ends_the_run_with_the_checkpoint_before(tmp_path: Path) -> None:
    hook = LimitHook(2000)
    runner = make_runner(tmp_path, dict(interval=1, max_keep_ckpts=1), [hook])
    try:
        with pytest.raises(OSError, match=r'File too large: cannot write .* MB.*epoch_2\.pth') as e:
            runner.train()
    finally:
        hook.limit.__exit__(None, None, None)
    assert e.value.errno == errno.EFBIG
    assert names(tmp_path) == ['epoch_1.pth', 'last_checkpoint']
    assert checkpoint_fault(tmp_path / 'epoch_1.pth') is None
    assert find_checkpoint(tmp_path) == tmp_path / 'epoch_1.pth'


@pytest.mark.parametrize('left', ['old.pth.partial', 'epoch_2.pth.partial'])
def test_partial_files_of_a_killed_run_are_removed(tmp_path: Path, left: str) -> None:
    (tmp_path / left).write_bytes(b'x')
    (tmp_path / 'mine.partial').write_bytes(b'x')
    make_runner(tmp_path, dict(interval=1)).train()
    assert names(tmp_path) == ['epoch_1.pth', 'epoch_2.pth', 'last_checkpoint', 'mine.partial']


def test_what_a_kill_left_outdated_is_removed_on_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the new checkpoint and before the old one was removed."""
    work_dir = tmp_path / 'run'
    checkpoint = dict(interval=1, by_epoch=False, max_keep_ckpts=2)
    monkeypatch.setattr(
        'mmmsf.engine.resume.file_backend.DeferringBackend.remove_deferred', lambda *_, **__: None
    )
    with pytest.raises(StopError):
        make_runner(work_dir, checkpoint, [StopHook('step', 4)]).train()
    monkeypatch.undo()
    assert names(work_dir) == ['iter_1.pth', 'iter_2.pth', 'iter_3.pth', 'last_checkpoint']
    make_runner(work_dir, checkpoint, resume=True, load_from=str(work_dir / 'iter_3.pth')).train()
    assert names(work_dir) == ['iter_11.pth', 'iter_12.pth', 'last_checkpoint']


def test_a_checkpoint_cannot_have_other_files_removed(tmp_path: Path) -> None:
    precious, other = tmp_path / 'precious.txt', tmp_path / 'run' / 'epoch_9.pth'
    other.parent.mkdir()
    for last, paths in ((other, [precious, '../precious.txt']), (precious, [other])):
        for path in (precious, other):
            path.write_text('x')
        runner = make_runner(tmp_path / 'run', dict(interval=1))
        runner.message_hub.update_info('last_ckpt', str(last))
        runner.message_hub.update_info('outdated_ckpts', [str(path) for path in paths])
        runner.train()
        assert precious.exists() and other.exists()


def test_another_backend_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def refuse(*_: Any) -> None:
        raise AssertionError

    runner = make_runner(tmp_path, dict(interval=1, backend_args=dict(backend='local')))
    monkeypatch.setattr('mmmsf.engine.resume.file_backend.AtomicBackend.put', refuse)
    runner.train()
    assert checkpoint_fault(tmp_path / 'epoch_2.pth') is None


def test_gradients_are_saved_only_while_they_accumulate(tmp_path: Path) -> None:
    runner = make_runner(
        tmp_path,
        dict(interval=1, by_epoch=False),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=1e-2), accumulative_counts=2),
    )
    runner.train()
    for step in (3, 4):
        checkpoint = read_checkpoint(tmp_path / f'iter_{step}.pth')
        assert ('gradients' in checkpoint) == (step == 3)


def test_it_writes_through_the_atomic_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill while the bytes go out must not touch what has a checkpoint's name."""

    def die(_: int) -> None:
        raise StopError

    runner = make_runner(tmp_path, dict(interval=1))
    monkeypatch.setattr(atomic_file.os, 'fsync', die)
    with pytest.raises(StopError):
        runner.train()
    assert names(tmp_path) == []
