"""Reading the small text files that annotations come in."""

import mmengine.fileio as fileio


def read_text(path: str, what: str) -> str:
    """Text of a UTF-8 file, without a byte order mark.

    Args:
        path: the file.
        what: what it should be, for the messages.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a byte is not UTF-8; the message names the line.
    """
    try:
        content = fileio.get(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{path}: no such {what}; check data_root and the file name'
                                ) from error
    try:
        return content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        line = content[:error.start].count(b'\n') + 1
        raise ValueError(f'{path}: line {line} is not UTF-8 text ({error.reason}); save the {what} '
                         'as UTF-8') from error
