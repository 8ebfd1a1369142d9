from pathlib import Path

import pytest
from mmengine.config import utils

from mmmsf.utils.config_file import named_package, read_config

ROOT = Path(__file__).resolve().parents[2]


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay out the package's folder as an installation does."""
    (folder / '.mim').mkdir()
    (folder / '.mim/configs').symlink_to(ROOT / 'configs')
    (folder / '.mim/model-index.yml').symlink_to(ROOT / 'configs/model-index.yml')
    monkeypatch.setattr('mmengine.config.config.is_installed', lambda package: package == 'mmmsf')
    monkeypatch.setattr('mmengine.config.config.get_installed_path', lambda package: str(folder))


@pytest.mark.parametrize(
    'base', ['msf/msf_resnet101_6xb21-80e_coco14-448px.py', '_base_/models/msf_resnet101.py']
)
def test_a_config_inherits_from_the_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str
) -> None:
    install(tmp_path, monkeypatch)
    path = tmp_path / 'own.py'
    path.write_text(f"_base_ = 'mmmsf::{base}'\nmodel = dict(head=dict(num_classes=7))\n")
    cfg = read_config(path)
    assert cfg.model.head.num_classes == 7
    expected = read_config(ROOT / 'configs' / base)
    expected.model.head.num_classes = 7
    assert cfg.to_dict() == expected.to_dict()  # no scope, in which MMPretrain's types are unknown
    assert 'mmmsf' not in utils.MODULE2PACKAGE


def test_the_table_of_packages_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyError), named_package():
        assert utils.MODULE2PACKAGE['mmmsf'] == 'mmmsf'
        raise KeyError
    assert 'mmmsf' not in utils.MODULE2PACKAGE
    monkeypatch.setitem(utils.MODULE2PACKAGE, 'mmmsf', 'fork-of-mmmsf')
    with named_package():
        pass
    assert utils.MODULE2PACKAGE['mmmsf'] == 'fork-of-mmmsf'


def test_a_name_that_the_package_does_not_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch)
    path = tmp_path / 'own.py'
    path.write_text("_base_ = 'mmmsf::msf/other.py'\n")
    with pytest.raises(ValueError, match='own.py cannot be read .*msf/other.py'):
        read_config(path)
