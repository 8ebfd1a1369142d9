"""Reading of annotation files, and checks of the file names that stand in them."""

import posixpath
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PureWindowsPath
from typing import TypeVar

import mmengine.fileio as fileio

# A name that leaves its folder on some system, or that no file can have, matches this or begins
# with a slash.
RISKY = re.compile(r'\.\.|[\\:\0]')
# A name that has a shorter spelling matches this.
LONG = re.compile(r'^\./|//|/\./')

Value = TypeVar('Value', int, str)


def read_content(path: str, kind: str, remedy: str) -> bytes:
    """Read a file as bytes.

    Args:
        path: File to read.
        kind: Noun for the file in the messages, such as 'annotation file'.
        remedy: Advice that ends the messages.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        OSError: ``path`` is a folder or cannot be read.
        ValueError: ``path`` is empty or not a possible file name.
    """
    if not path:
        raise ValueError(f'the {kind} must be named, got an empty path; {remedy}')
    try:
        return fileio.get(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{path}: no such {kind}; {remedy}') from error
    except OSError as error:
        raise OSError(
            f'{path}: this {kind} cannot be read ({error.strerror or error}); {remedy}'
        ) from error
    except ValueError as error:  # a NUL, half of a surrogate pair
        raise ValueError(f'{path!r} cannot be the name of a file ({error}); {remedy}') from error


def read_text(path: str, kind: str, remedy: str = 'check data_root and the file name') -> str:
    """Read a UTF-8 file and drop its byte order mark.

    Args:
        path: File to read.
        kind: Noun for the file in the messages, such as 'table'.
        remedy: Advice that ends the message when the file cannot be read.

    Raises:
        OSError, FileNotFoundError: As for :func:`read_content`.
        ValueError: The content is not UTF-8; the message names the line.
    """
    content = read_content(path, kind, remedy)
    try:
        return content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b'\n') + 1
        raise ValueError(
            f'{path}: line {line} is not UTF-8 text ({error.reason}); save the {kind} as UTF-8'
        ) from error


def check_file_name(file_name: str, where: str) -> None:
    """Refuse a file name that leads out of the image folder.

    Only the text is checked: files and folders below the image folder may be links to other disks.

    Args:
        file_name: Path relative to the image folder.
        where: Place of the name in its file; opens the message.

    Raises:
        ValueError: ``file_name`` is empty, absolute, a URL, or contains ``..``, a backslash or a
            NUL.
    """
    if file_name[:1] not in ('', '/') and not RISKY.search(file_name):
        return  # almost every name, without the cost of a path object
    parts = PureWindowsPath(file_name)  # splits at both kinds of slash
    if not file_name or parts.anchor or '..' in parts.parts or '://' in file_name:
        raise ValueError(
            f'{where}: file_name must stay inside the image folder (relative, '
            f'without ".."), got {file_name!r}'
        )
    if '\\' in file_name:
        raise ValueError(
            f'{where}: file_name must separate folders by "/", got {file_name!r}; write '
            f'{file_name.replace(chr(92), "/")!r}'
        )
    if '\0' in file_name:
        raise ValueError(f'{where}: no file can have the file_name {file_name!r}; correct it')


def find_repeated(values: Iterable[Value]) -> list[Value]:
    """List the values that occur more than once, sorted."""
    return sorted(value for value, count in Counter(values).items() if count > 1)


def normalize_name(file_name: str) -> str:
    """Return the shortest spelling of a relative path: ``./a//b.jpg`` becomes ``a/b.jpg``."""
    return posixpath.normpath(file_name) if LONG.search(file_name) else file_name
