"""Checks of the OpenMMLab frameworks below mmmsf, with errors that say how to repair them."""

import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

from packaging.version import Version

# Import name -> (original distribution, maintained distribution, oldest version that works).
FRAMEWORKS = {
    'mmengine': ('mmengine', 'onedl-mmengine', '0.10.7'),
    'mmcv': ('mmcv', 'onedl-mmcv', '2.0.0'),
    'mmpretrain': ('mmpretrain', 'onedl-mmpretrain', '1.2.0'),
}

MAINTAINED = "pip install 'onedl-mmengine>=0.10.12' 'onedl-mmcv>=2.3.6' 'onedl-mmpretrain>=1.3.6'"
ORIGINALS = (
    "pip install mmengine==0.10.7 mmcv-lite==2.2.0 mmpretrain==1.2.0 'setuptools>=77.0.3,<82'"
)


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def find_doubled() -> dict[str, list[str]]:
    """Find import names that more than one installed distribution provides.

    Two distributions of one import name overwrite each other's files, and removing either breaks
    the other.

    Returns:
        Import name -> the distributions found; empty in a valid environment.
    """
    doubled = {}
    for name, (original, maintained, _) in FRAMEWORKS.items():
        candidates = [original, maintained] + (['mmcv-lite'] if name == 'mmcv' else [])
        found = [dist for dist in candidates if _installed(dist)]
        if len(found) > 1:
            doubled[name] = found
    return doubled


def _new_transformers() -> str | None:
    """Return the version of transformers if MMPretrain's multi-modal models fail with it."""
    if not _installed('transformers'):
        return None
    version = metadata.version('transformers')
    return version if Version(version) >= Version('5') else None


@contextmanager
def _without_multimodal() -> Iterator[None]:
    """Skip MMPretrain's multi-modal models in imports of the block, as without transformers."""
    dependency: Any = importlib.import_module('mmpretrain.utils.dependency')
    before, dependency.WITH_MULTIMODAL = dependency.WITH_MULTIMODAL, False
    try:
        yield
    finally:
        dependency.WITH_MULTIMODAL = before


def _import_models() -> None:
    """Import MMPretrain's models; with transformers >= 5, which breaks that, the others."""
    version = _new_transformers()
    if 'mmpretrain.models' in sys.modules or version is None:
        importlib.import_module('mmpretrain.models')
        return
    with _without_multimodal():
        importlib.import_module('mmpretrain.models')
    warnings.warn(
        f"MMPretrain's multi-modal models (BLIP, LLaVA, ...) are left out: transformers {version} "
        'is installed, they need transformers < 5. mmmsf needs neither.',
        stacklevel=4,
    )


def _explain(name: str, error: Exception) -> str:
    lines = [f'mmmsf needs `{name}`, which cannot be imported: {type(error).__name__}: {error}']
    if name == 'mmpretrain' and (version := _new_transformers()):
        lines.append(
            f'transformers {version} is installed; transformers >= 5 may break '
            "`import mmpretrain`. Run: pip install 'transformers<5' "
            '(or uninstall it: mmmsf does not use it).'
        )
    lines.append(f'A set of versions that works: {MAINTAINED}')
    lines.append(f'or, on the original distributions: {ORIGINALS}')
    return '\n'.join(lines)


def check_framework() -> None:
    """Import MMEngine, MMCV and MMPretrain and check their versions.

    Raises:
        ImportError: A framework is missing, too old or fails to import; the message names it, the
            cause and the command that repairs it.

    Warns:
        UserWarning: An original and a maintained distribution of one framework are both
            installed, or a version of transformers that MMPretrain cannot use.
    """
    for name, found in find_doubled().items():
        warnings.warn(
            f'`{name}` is provided by {" and ".join(found)} at once; they overwrite each '
            f"other's files. Run `pip uninstall -y {' '.join(found)}` and install one of "
            f'them again, for example: {MAINTAINED}',
            stacklevel=3,
        )
    for name, (_, _, minimum) in FRAMEWORKS.items():
        try:
            module = importlib.import_module(name)
            if name == 'mmpretrain':
                _import_models()
        except Exception as error:  # a broken framework fails in many ways, all of them fatal
            raise ImportError(_explain(name, error)) from error
        if Version(module.__version__) < Version(minimum):
            raise ImportError(
                f'mmmsf needs {name} >= {minimum}, found {module.__version__}. Run: {MAINTAINED}'
            )
