import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

import mmmsf
from mmmsf.utils import framework


def fake_installed(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(metadata, 'version', version)


def test_a_sound_environment_is_silent(
    recwarn: pytest.WarningsRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_installed(monkeypatch, {'onedl-mmengine': '0.10.12', 'mmcv-lite': '2.2.0'})
    framework.check_framework()
    assert [w for w in recwarn if 'at once' in str(w.message)] == []


def test_doubled_distributions_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_installed(monkeypatch, {'mmcv': '2.1.0', 'mmcv-lite': '2.2.0', 'onedl-mmcv': '2.3.6'})
    assert framework.find_doubled() == {'mmcv': ['mmcv', 'onedl-mmcv', 'mmcv-lite']}
    with pytest.warns(
        UserWarning, match='`mmcv` is provided by mmcv and onedl-mmcv and mmcv-lite at once'
    ):
        framework.check_framework()


def test_a_missing_framework_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'mmpretrain', None)
    with pytest.raises(ImportError, match='mmmsf needs `mmpretrain`, which cannot') as e:
        framework.check_framework()
    assert "'onedl-mmpretrain>=1.3.6'" in str(e.value)
    assert 'mmcv-lite==2.2.0' in str(e.value)


def test_a_crash_with_new_transformers_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_installed(monkeypatch, {'transformers': '5.1.0'})
    monkeypatch.setitem(sys.modules, 'mmpretrain', None)
    with pytest.raises(ImportError, match="pip install 'transformers<5'"):
        framework.check_framework()


def test_an_old_framework_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'mmpretrain', SimpleNamespace(__version__='1.0.0'))
    with pytest.raises(ImportError, match=r'mmmsf needs mmpretrain >= 1\.2\.0, found 1\.0\.0'):
        framework.check_framework()


@pytest.mark.slow
def test_new_transformers_cost_the_multi_modal_models_alone(tmp_path: Path) -> None:
    """Its distribution and nothing of its contents: what MMPretrain imports of it is not there."""
    (tmp_path / 'transformers').mkdir()
    (tmp_path / 'transformers/__init__.py').touch()
    info = tmp_path / 'transformers-5.1.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: transformers\nVersion: 5.1.0\n')
    paths = [str(tmp_path), str(Path(mmmsf.__file__).parents[1]), os.environ.get('PYTHONPATH', '')]
    done = subprocess.run(
        [sys.executable, '-c', 'import mmmsf; print(mmmsf.models.MSFHead.__name__)'],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(paths)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert 'MSFHead' in done.stdout
    assert 'multi-modal models (BLIP, LLaVA, ...) are left out: transformers 5.1.0' in done.stderr
