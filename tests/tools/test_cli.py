"""tools/_cli.py: two notes of other packages are dropped when they are imported, nothing else."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = 'Fail to import ``MultiScaleDeformableAttention`` from ``mmcv.ops``'


def warn(message: str, module: str) -> None:
    warnings.warn_explicit(message, UserWarning, 'x.py', 1, module)


def test_only_the_two_notes_are_dropped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    from _cli import quiet_imports

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        with quiet_imports():
            warn(FOREIGN, 'mmcv.cnn.bricks.transformer')
            warn(FOREIGN, 'mmmsf')
            warn('other', 'mmcv.cnn.bricks.transformer')
            print('Could not import OneDL\nCould not import more')
    assert len(seen) == 2
    assert capsys.readouterr().out == 'Could not import more\n'


def test_what_was_printed_before_an_error_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    from _cli import quiet_imports

    with pytest.raises(ImportError), quiet_imports():
        print('Could not import OneDL\nreason')
        raise ImportError
    assert capsys.readouterr().out == 'reason\n'


@pytest.mark.slow
@pytest.mark.parametrize('verbose', [False, True])
def test_a_new_process_says_nothing_on_import(verbose: bool) -> None:
    code = f'import sys; sys.path.insert(0, "tools"); import _cli; _cli.harden({verbose})'
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert bool(done.stdout + done.stderr) == verbose
