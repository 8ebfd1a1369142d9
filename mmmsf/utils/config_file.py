"""Config files, read with errors that name them."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE

PACKAGE = 'mmmsf'


@contextlib.contextmanager
def named_package() -> Iterator[None]:
    """Let configs inherit from those of the installed package: ``_base_ = 'mmmsf::msf/...'``.

    MMEngine resolves such names for the packages of its own table only.
    """
    known = PACKAGE in MODULE2PACKAGE
    MODULE2PACKAGE.setdefault(PACKAGE, PACKAGE)
    try:
        yield
    finally:
        if not known:
            del MODULE2PACKAGE[PACKAGE]


def _drop_scope(value: Any) -> None:
    """Remove the scope that MMEngine sets in dicts of ``mmmsf::``, where MMPretrain's types are."""
    if isinstance(value, dict):
        if value.get('_scope_') == PACKAGE:
            del value['_scope_']
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            _drop_scope(item)


def read_config(path: str | Path) -> Config:
    """Read a config; a ``.py`` config is a program and is executed.

    Its ``_base_`` may name configs of this package, as ``mmmsf::msf/NAME.py``.

    Args:
        path: File to read.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file, or one that it names in ``_base_``, is not a valid config; the
            message gives the reason.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no config {path}')
    try:
        with named_package():
            cfg = Config.fromfile(path)
    except Exception as error:  # whatever the config's own code raises
        raise ValueError(
            f'{path} cannot be read as a config ({type(error).__name__}: {error}); correct it'
        ) from error
    _drop_scope(cfg._cfg_dict)
    return cfg


def merge_options(cfg: Config, options: Mapping[str, Any] | None, name: object) -> None:
    """Change values of a config by dotted keys.

    Args:
        cfg: Config, changed in place.
        options: Key -> value.
        name: Name of the config, for the message.

    Raises:
        ValueError: A key leads through a value that has no keys, or no such index.
    """
    try:
        cfg.merge_from_dict(dict(options or {}))
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        keys = ', '.join(options or {})
        raise ValueError(f'the options {keys} do not fit {name}: {error}') from error


def short_name(path: str | Path) -> str:
    """Return the part of a config's file name before the backbone: ``msf-no-hsa``."""
    return Path(path).stem.split('_')[0]
