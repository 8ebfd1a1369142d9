"""Files that are never overwritten."""

from pathlib import Path

from mmmsf.utils.atomic_file import write_atomically


def write_new(path: Path, text: str, force: bool = False) -> bool:
    """Write a UTF-8 file, unless it exists with the same content.

    Args:
        path: File to write; its folder is made.
        text: Content.
        force: Replace other content.

    Returns:
        True if the file was written, False if it was there.

    Raises:
        FileExistsError: The file exists with other content and ``force`` is False.
        OSError: The file cannot be written.
    """
    data = text.encode()
    if path.exists():
        if path.read_bytes() == data:
            return False
        if not force:
            raise FileExistsError(f'{path} exists with other content')
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, data, shared=True)
    return True
