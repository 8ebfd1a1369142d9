"""Reading the files that annotations come in."""

import mmengine.fileio as fileio


def read_content(path: str, what: str, hint: str) -> bytes:
    """Content of a file.

    Args:
        path: the file.
        what: what it should be, for the messages.
        hint: what to look at when it is not there.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it cannot be read: a folder, no permission.
        ValueError: no file can have this name.
    """
    if not path:
        raise ValueError(f'the {what} must be named, got an empty path; {hint}')
    try:
        return fileio.get(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{path}: no such {what}; {hint}') from error
    except OSError as error:
        raise OSError(
            f'{path}: this {what} cannot be read ({error.strerror or error}); {hint}'
        ) from error
    except ValueError as error:  # a NUL, half of a surrogate pair
        raise ValueError(f'{path!r} cannot be the name of a file ({error}); {hint}') from error


def read_text(path: str, what: str) -> str:
    """Text of a UTF-8 file, without a byte order mark.

    Args:
        path: the file.
        what: what it should be, for the messages.

    Raises:
        OSError, FileNotFoundError: as :func:`read_content`.
        ValueError: a byte is not UTF-8; the message names the line.
    """
    content = read_content(path, what, 'check data_root and the file name')
    try:
        return content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b'\n') + 1
        raise ValueError(
            f'{path}: line {line} is not UTF-8 text ({error.reason}); save the {what} as UTF-8'
        ) from error
