"""Config files, read with errors that name them."""

from pathlib import Path

from mmengine.config import Config


def read_config(path: str | Path) -> Config:
    """Read a config; a ``.py`` config is a program and is executed.

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
        return Config.fromfile(path)
    except Exception as error:  # whatever the config's own code raises
        raise ValueError(
            f'{path} cannot be read as a config ({type(error).__name__}: {error}); correct it'
        ) from error


def short_name(path: str | Path) -> str:
    """Return the part of a config's file name before the backbone: ``msf-no-hsa``."""
    return Path(path).stem.split('_')[0]
