"""Filter of the console: pages of set-up are rejected, all else and every error is shown."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.runner import Runner

from mmmsf.engine.console import SET_UP, ConsoleFilter, QuietRunner


def shows(level: int, message: str) -> bool:
    record = logging.LogRecord('mmengine', level, 'x.py', 1, message, None, None)
    return ConsoleFilter().filter(record)


@pytest.mark.parametrize('start', SET_UP)
def test_set_up_is_hidden_below_an_error(start: str) -> None:
    assert not shows(logging.INFO, f'\n------\n{start} a\nb')
    assert not shows(logging.WARNING, f'{start} a')
    assert shows(logging.ERROR, f'{start} a')
    assert shows(logging.INFO, f'a {start}')


@pytest.mark.parametrize('message', ['resumed epoch: 1, iter: 3', '\n23 images, 10 classes (%)'])
def test_the_rest_is_shown(message: str) -> None:
    assert shows(logging.INFO, message) and shows(logging.WARNING, message)


def test_one_printed_line_of_loading_is_dropped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(self: Any, path: str) -> dict[str, Any]:
        print(f'Loads checkpoint by local backend from path: {path}\nkept')
        return dict(path=path)

    monkeypatch.setattr(Runner, 'load_checkpoint', load)
    runner = QuietRunner.__new__(QuietRunner)
    assert runner.load_checkpoint('a.pth') == dict(path='a.pth')
    assert capsys.readouterr().out == 'kept\n'


def test_the_file_is_not_filtered(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    handlers = [logging.StreamHandler(), logging.FileHandler(tmp_path / 'x.log')]
    monkeypatch.setattr(Runner, 'build_logger', lambda self: SimpleNamespace(handlers=handlers))
    QuietRunner.__new__(QuietRunner).build_logger()
    handlers[1].close()
    assert [len(handler.filters) for handler in handlers] == [1, 0]
