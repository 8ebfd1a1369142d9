"""Reading config files, with errors that name them."""

from pathlib import Path

from mmengine.config import Config


def read_config(path: str | Path) -> Config:
    """Read a config; a ``.py`` config is a program and is run.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it, or one that it names in ``_base_``, is no config; the message says why.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no config {path}')
    try:
        return Config.fromfile(path)
    except Exception as error:  # whatever its own lines raise
        raise ValueError(
            f'{path} cannot be read as a config ({type(error).__name__}: {error}); correct it'
        ) from error


def short_name(path: str | Path) -> str:
    """Return the part of a config's file name before the backbone: ``msf-no-hsa``."""
    return Path(path).stem.split('_')[0]
