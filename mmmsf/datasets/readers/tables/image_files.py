"""Image files of a table whose paths lack a suffix or have folders that are not there."""

import os
import re
from collections.abc import Callable, Sequence

from mmmsf.datasets.readers.files import normalize_name
from mmmsf.datasets.readers.image_sets import IMAGE_SUFFIXES

UPLOAD_HASH = re.compile(r'[0-9a-f]{8}-')  # which Label Studio puts before a file's name


def list_files(folder: str) -> list[str]:
    """List the images below a folder, as sorted paths relative to it; links are followed once."""
    found, seen = [], set()
    for root, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        inside = os.path.relpath(root, folder).replace(os.sep, '/')
        prefix = '' if inside == '.' else f'{inside}/'
        found += [prefix + name for name in files if name.lower().endswith(IMAGE_SUFFIXES)]
    return sorted(found)


def _index(files: Sequence[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    """Collect files by a part of their path, with and without the suffix."""
    index: dict[str, list[str]] = {}
    for file in files:
        for name in (key(file), _stem(key(file))):
            index.setdefault(name, []).append(file)
    return index


def _stem(file: str) -> str:
    """Return a path without its suffix, one of ``IMAGE_SUFFIXES``."""
    return file[: file.rindex('.')]


def _base(name: str) -> str:
    return name.rpartition('/')[2]


def _common_folders(names: Sequence[str]) -> list[str]:
    """Return the beginnings 'a/', 'a/b/', ... that all names share."""
    folders = min(names).split('/')[:-1]
    beginnings = ['/'.join(folders[: k + 1]) + '/' for k in range(len(folders))]
    return [text for text in beginnings if all(name.startswith(text) for name in names)]


def _below(name: str, files: Sequence[str]) -> list[str]:
    """Return the files whose path ends with a name."""
    end = f'/{name}'
    return [file for file in files if f'/{file}'.endswith(end) or _stem(f'/{file}').endswith(end)]


def _ways(names: Sequence[str], files: Sequence[str]) -> list[tuple[str, list[list[str]]]]:
    """Return the candidates of each name by each way of looking, the closest way first."""
    paths, bases = _index(files, str), _index(files, _base)
    ways = [('with a suffix', [paths.get(name, []) for name in names])]
    for text in _common_folders(names):
        ways.append((f'without {text!r}', [paths.get(x[len(text) :], []) for x in names]))
    if all(UPLOAD_HASH.match(_base(name)) for name in names):
        text = 'without the code before the name'
        ways.append((text, [paths.get(_base(name)[9:], []) for name in names]))
    ways.append(('in subfolders', [_below(name, bases.get(_base(name), [])) for name in names]))
    return ways


def _choose(name: str, candidates: Sequence[str], where: str) -> str:
    """Return the only candidate, or the one that is the name itself."""
    if name in candidates:
        return name
    if len(candidates) > 1:
        raise ValueError(
            f'{where}: the image {name!r} may be any of {list(candidates[:5])}; write paths with '
            'folder and suffix'
        )
    return candidates[0]


def find_images(names: Sequence[str], folder: str, where: str) -> tuple[list[str], str]:
    """Find the images of a table in a folder.

    The folder is looked at only if it exists and a path of the table does not exist as it stands.

    Args:
        names: Paths as the table writes them.
        folder: Image folder.
        where: Table, to open the messages.

    Returns:
        Paths relative to the folder, and a note on what was done, empty for nothing. Paths with a
        suffix that are nowhere in the folder stay as they are, and the note counts them.

    Raises:
        ValueError: A name without suffix is not there, some names are found in another place and
            others are not, or a name fits several files.
    """
    if '://' in folder or not os.path.isdir(folder or '.'):
        return list(names), ''
    if all(os.path.isfile(os.path.join(folder, name)) for name in names):
        return list(names), ''
    keys = [normalize_name(name) for name in names]
    ways = _ways(keys, list_files(folder or '.'))
    if any(ways[0][1]):  # some are in place, so the others are not looked for elsewhere
        ways = ways[:1]
    text, found = max(ways, key=lambda way: sum(map(bool, way[1])))  # the first of equals
    missing = [name for name, candidates in zip(names, found, strict=True) if not candidates]
    here = folder or 'the current folder'
    if missing:
        note = (
            f'{len(missing)} of {len(names)} images are not in {here}, the first is {missing[0]!r}'
        )
        moved = any(files and key not in files for key, files in zip(keys, found, strict=True))
        if moved or not all(name.lower().endswith(IMAGE_SUFFIXES) for name in missing):
            raise ValueError(f'{where}: {note} (looked {text}); correct data_prefix or the table')
        return list(names), note
    files = [_choose(key, candidates, where) for key, candidates in zip(keys, found, strict=True)]
    return files, f'images found {text}'
