"""Sessions that run the tests on every framework, torch and Python that mmmsf supports.

From the top of the repository, with `pip install nox` (each environment takes about 6 GB)::

    nox -f tests/by_hand/noxfile.py                        # all sessions
    nox -f tests/by_hand/noxfile.py -s originals           # one of them
    nox -f tests/by_hand/noxfile.py -s oldest -- -n 1 tests/models    # some tests

A session first prints the versions that it uses. Pins are read from setup.py and from
``mmmsf/utils/framework.py``, so that none is written twice.
"""

import re
import runpy
import shlex
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = ('3.10', '3.11', '3.12')
ORIGINALS = shlex.split(runpy.run_path(str(ROOT / 'mmmsf/utils/framework.py'))['ORIGINALS'])[2:]
SHOWN = (
    'torch',
    'torchvision',
    'numpy',
    'onedl-mmengine',
    'onedl-mmcv',
    'onedl-mmpretrain',
    'mmengine',
    'mmcv-lite',
    'mmpretrain',
)

# Prints the requirements of the installed mmmsf and its tests, except the maintained frameworks.
OTHER_REQUIREMENTS = """
from importlib.metadata import requires
from packaging.requirements import Requirement
for line in requires('mmmsf'):
    need = Requirement(line)
    if not need.name.startswith('onedl-') and (
            need.marker is None or need.marker.evaluate({'extra': 'tests'})):
        print(f'{need.name}{need.specifier}')
"""

PRINT_VERSIONS = f"""
import sys
from importlib.metadata import distributions
found = {{dist.name.lower(): dist.version for dist in distributions()}}
print('python', sys.version.split()[0], *(f'{{name}} {{found[name]}}' for name in {SHOWN!r}
                                          if name in found))
"""

nox.options.envdir = str(ROOT / '.venv-nox')
nox.options.reuse_existing_virtualenvs = True


def lowest(name: str) -> str:
    """Pin a requirement to the oldest release that setup.py allows."""
    text = (ROOT / 'setup.py').read_text(encoding='utf-8')
    match = re.search(rf"'{name}>=([\d.]+)'", text)
    if match is None:
        raise ValueError(f'setup.py gives {name} no lower bound')
    return f'{name}=={match[1]}.*'


def run_tests(session: nox.Session) -> None:
    session.run('python', '-c', PRINT_VERSIONS)
    session.run('python', '-m', 'pytest', *(session.posargs or ('-n', '2')))


@nox.session(python=PYTHONS)
def maintained(session: nox.Session) -> None:
    """Test on the maintained frameworks and the newest torch."""
    session.chdir(ROOT)
    session.install('-e', '.[tests]')
    run_tests(session)


@nox.session(python='3.11')
def originals(session: nox.Session) -> None:
    """Test on the original frameworks with the documented pins and the newest torch."""
    session.chdir(ROOT)
    session.install('packaging', *ORIGINALS)
    session.install('--no-deps', '-e', '.')
    needs = session.run_install('python', '-c', OTHER_REQUIREMENTS, silent=True)
    if needs:  # nothing with --no-install
        session.install(*str(needs).split(), *ORIGINALS)
    run_tests(session)


@nox.session(python='3.11')
def oldest(session: nox.Session) -> None:
    """Test on the maintained frameworks with the oldest torch and torchvision of setup.py."""
    session.chdir(ROOT)
    session.install(lowest('torch'), lowest('torchvision'), '-e', '.[tests]')
    run_tests(session)
