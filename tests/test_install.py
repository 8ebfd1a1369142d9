"""Regular and editable installations in an environment of their own."""

import os
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.helpers.tiny_training import TINY

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ('mmmsf', 'configs', 'tools', 'setup.py', 'pyproject.toml', 'README.md')
CONFIG = 'msf/msf-ours_resnet18_1xb16-10e_digits-64px.py'
SCRIPT = """
from pathlib import Path
from mmengine.utils import get_installed_path
from mmmsf.utils.config_file import read_config
folder = Path(get_installed_path('mmmsf'))
print(folder)
assert read_config('own.py').model.head.type == 'mmmsf.MSFHead'
assert (folder / '.mim/model-index.yml').is_file()
"""


def run(*command: str | Path, folder: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize('mode', ['regular', 'editable'])
def test_configs_and_tools_of_an_installed_package(tmp_path: Path, mode: str) -> None:
    """`mim train mmmsf CONFIG` runs `.mim/tools/train.py` of the package's folder."""
    source = tmp_path / 'source'
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        ignored = dict(ignore=shutil.ignore_patterns('__pycache__', '.mim'))
        copy(ROOT / name, source / name, **(ignored if (ROOT / name).is_dir() else {}))
    venv.create(tmp_path / 'env')
    python = tmp_path / 'env/bin/python'
    version = f'python{sys.version_info.major}.{sys.version_info.minor}'
    packages = tmp_path / 'env/lib' / version / 'site-packages'
    (packages / 'others.pth').write_text('\n'.join(site.getsitepackages()))
    install = [sys.executable, '-m', 'pip', '--python', python, 'install', '--no-deps']
    install += ['--no-build-isolation', '--no-index', '--quiet']
    run(*install, *(['-e'] if mode == 'editable' else []), source, folder=tmp_path)

    (tmp_path / 'own.py').write_text(f"_base_ = 'mmmsf::{CONFIG}'\nval_interval = 1\n")
    folder = Path(run(python, '-c', SCRIPT, folder=tmp_path).splitlines()[-1])
    assert folder == (packages if mode == 'regular' else source) / 'mmmsf'
    assert (folder / '.mim/configs').is_symlink() == (mode == 'editable')
    options = ['--cfg-options', *TINY, 'train_cfg.max_epochs=1', 'param_scheduler.end=1']
    train = folder / '.mim/tools/train.py'
    run(python, train, 'own.py', '--work-dir', 'out', *options, folder=tmp_path)
    assert (tmp_path / 'out/epoch_1.pth').is_file()
