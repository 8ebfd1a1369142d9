"""Files of a VOC folder: its images, their XML files, and the lists of its splits."""

from collections.abc import Mapping
from pathlib import PurePath

import mmengine.fileio as fileio

from .files import read_text

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
LABELS = ('-1', '0', '1')  # of the lists of single classes


def _image_id(line: str, names: Mapping[str, str] | None, where: str) -> str:
    """Find the image that a line of a list names; see :func:`read_image_set`."""
    text, *label = line.rsplit(maxsplit=1) if line.split()[1:] else [line.strip()]
    unlabelled = text if label and label[0] in LABELS else None
    if names is None:
        if len(line.split()) > (1 if unlabelled is None else 2):
            raise ValueError(
                f'{where} must be an image id and at most one of -1, 0 and 1, got {line!r}'
            )
        return unlabelled or line.strip()
    whole = line.strip()
    readings = [one for one in (whole, unlabelled) if one is not None]
    ids = [one for one in readings if one in names]
    ids += [PurePath(one).stem for one in readings if names.get(PurePath(one).stem) == one]
    if len(ids) > 1:
        raise ValueError(
            f'{where}: {whole!r} may be the image {names[ids[0]]!r} or {names[ids[1]]!r}; '
            'rename one'
        )
    return ids[0] if ids else unlabelled or whole


def parse_image_set(text: str, path: str, names: Mapping[str, str] | None = None) -> list[str]:
    """Parse the text of a list; see :func:`read_image_set`."""
    ids: list[str] = []
    first_line: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        image_id = _image_id(line, names, f'{path}: line {number}')
        if '/' in image_id or '\\' in image_id or image_id in ('.', '..'):
            raise ValueError(
                f'{path}: line {number} must be the bare id of an image, without '
                f'folders, got {image_id!r}'
            )
        if image_id in first_line:
            raise ValueError(
                f'{path}: the id {image_id} is in line {first_line[image_id]} and '
                f'again in line {number}; keep one'
            )
        first_line[image_id] = number
        ids.append(image_id)
    return ids


def read_image_set(
    path: str,
    names: Mapping[str, str] | None = None,
    remedy: str = 'check data_root and the file name',
) -> list[str]:
    """Read the image ids of a list file, in its order.

    A line holds an id; a second column of -1, 0 or 1, as in the lists of single classes, is
    ignored, as are blank lines. Where the images are known, an id may contain blanks and stand with
    the suffix of its file.

    Args:
        path: List file.
        names: File name of each image id, from :func:`list_images`.
        remedy: Advice that ends the message when the file cannot be read.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: A line is not of this form or fits two images, an id contains a path separator,
            or an id occurs twice; names the file and the line.
    """
    return parse_image_set(read_text(path, 'image set', remedy), path, names)


def _list_files(folder: str, suffixes: tuple[str, ...]) -> dict[str, str]:
    """List the files with one of the suffixes as a dict from id to file name, sorted by id."""
    names: dict[str, str] = {}
    for name in fileio.list_dir_or_file(folder, list_dir=False):
        path = PurePath(name)
        if path.suffix.lower() not in suffixes:
            continue
        if path.stem in names:
            raise ValueError(
                f'{folder}: {names[path.stem]} and {name} have the same id; rename or remove one'
            )
        names[path.stem] = name
    return dict(sorted(names.items()))


def list_images(folder: str) -> dict[str, str]:
    """List an image folder as a dict from image id to file name, sorted by id.

    Raises:
        FileNotFoundError: ``folder`` does not exist.
        ValueError: Two files have the same id.
    """
    if not fileio.isdir(folder):
        raise FileNotFoundError(f'{folder}: no such image folder; check data_root and image_dir')
    return _list_files(folder, IMAGE_SUFFIXES)


def list_annotations(folder: str) -> dict[str, str]:
    """List the XML files of a folder as a dict from image id to file name; empty without folder.

    Raises:
        ValueError: Two files have the same id.
    """
    return _list_files(folder, ('.xml',)) if fileio.isdir(folder) else {}
