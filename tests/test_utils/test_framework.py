import sys
from importlib import metadata
from types import SimpleNamespace

import pytest

from mmmsf.utils import framework


def fake_installed(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]
    monkeypatch.setattr(metadata, 'version', version)


def test_a_sound_environment_is_silent(recwarn: pytest.WarningsRecorder,
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    fake_installed(monkeypatch, {'onedl-mmengine': '0.10.12', 'mmcv-lite': '2.2.0'})
    framework.check_framework()
    assert [w for w in recwarn if 'at once' in str(w.message)] == []


def test_doubled_distributions_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_installed(monkeypatch, {'mmcv': '2.1.0', 'mmcv-lite': '2.2.0', 'onedl-mmcv': '2.3.6'})
    assert framework.find_doubled() == {'mmcv': ['mmcv', 'onedl-mmcv', 'mmcv-lite']}
    with pytest.warns(UserWarning, match='`mmcv` is provided by mmcv and onedl-mmcv and mmcv-lite '
                      'at once'):
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
