"""The files of the VOC layout: image-set lists and one XML file per image."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from xml.etree import ElementTree
from xml.parsers import expat

import mmengine.fileio as fileio

from .files import read_content, read_text

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png')
Box = tuple[float, float, float, float]

BOX_SIDES = ('xmin', 'ymin', 'xmax', 'ymax')


@dataclass(frozen=True)
class VocObject:
    """One object of an image.

    Attributes:
        name: its class.
        difficult: whether the annotators marked it as hard to recognise.
        box: (x1, y1, x2, y2), edges in pixels from the image's corner, or None.
            Both border pixels belong to a VOC box and count from 1, so x1 is
            xmin - 1 and x2 is xmax.
    """

    name: str
    difficult: bool
    box: Box | None

    @property
    def area(self) -> float:
        """Of the box in square pixels, NaN without one."""
        if self.box is None:
            return math.nan
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)


def read_image_set(path: str) -> list[str]:
    """Image ids of a list file, in its order.

    A line holds an id; a second column of -1, 0 or 1, as in the lists of single
    classes, is passed over, as are blank lines.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is something else, an id contains a path separator,
            or an id occurs twice; the message names file and line.
    """
    ids: list[str] = []
    first_line: dict[str, int] = {}
    for number, line in enumerate(read_text(path, 'image set').splitlines(), start=1):
        columns = line.split()
        if not columns:
            continue
        if columns[1:] not in ([], ['-1'], ['0'], ['1']):
            raise ValueError(
                f'{path}: line {number} must be an image id and at most one of -1, 0 '
                f'and 1, got {line!r}'
            )
        image_id = columns[0]
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


def list_images(folder: str) -> dict[str, str]:
    """Image id -> file name, from one listing of the image folder.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: two files have the same id.
    """
    if not fileio.isdir(folder):
        raise FileNotFoundError(f'{folder}: no such image folder; check data_root')
    names: dict[str, str] = {}
    for name in fileio.list_dir_or_file(folder, list_dir=False):
        path = PurePath(name)
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        if path.stem in names:
            raise ValueError(
                f'{folder}: {names[path.stem]} and {name} have the same id; rename or remove one'
            )
        names[path.stem] = name
    return names


class _DoctypeError(Exception):
    pass


def _refuse_doctype(*_: object) -> None:
    raise _DoctypeError


def parse_xml(content: bytes, path: str) -> ElementTree.Element:
    """Root element of an XML file from anywhere.

    A document type declaration is refused, and with it everything that makes
    XML dangerous: entities that expand without end or name other files.

    Raises:
        ValueError: not well-formed, or it declares a document type.
    """
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(content, True)
    except _DoctypeError as error:
        raise ValueError(
            f'{path}: refused, an annotation must not declare a document type '
            '(<!DOCTYPE ...>); remove the declaration'
        ) from error
    except (expat.ExpatError, LookupError, ValueError) as error:  # the latter two: its encoding
        raise ValueError(
            f'{path}: not well-formed XML ({error}); fetch the annotation again'
        ) from error
    return builder.close()


def _read_box(element: ElementTree.Element, where: str) -> Box | None:
    box = element.find('bndbox')
    if box is None:
        return None
    texts = [box.findtext(side) for side in BOX_SIDES]
    try:
        left, top, right, bottom = (float(text or '') for text in texts)
    except ValueError:
        left, top, right, bottom = [math.nan] * 4
    area = (right - left + 1) * (bottom - top + 1)
    if not (math.isfinite(area) and right >= left and bottom >= top):
        raise ValueError(
            f'{where}: bndbox must be numbers with {BOX_SIDES[0]} <= {BOX_SIDES[2]} '
            f'and {BOX_SIDES[1]} <= {BOX_SIDES[3]}, got '
            f'{dict(zip(BOX_SIDES, texts, strict=True))}'
        )
    return left - 1, top - 1, right, bottom


def _read_object(element: ElementTree.Element, where: str) -> VocObject:
    for tag in ('name', 'difficult', 'bndbox'):
        count = len(element.findall(tag))
        if count > 1:
            raise ValueError(f'{where}: {tag} must be there once, got {count}; keep one')
    name = (element.findtext('name') or '').strip()
    if not name:
        raise ValueError(f'{where} has no name; every <object> needs a <name>')
    difficult = element.findtext('difficult', '0').strip()
    if difficult not in ('0', '1'):
        raise ValueError(f'{where}: difficult must be 0 or 1, got {difficult!r}')
    return VocObject(name, difficult == '1', _read_box(element, where))


def read_objects(path: str, hint: str = 'check data_root') -> list[VocObject]:
    """The objects of one annotation file.

    An object without ``<difficult>`` is not difficult. Parts of an object
    (VOC's person layout) are not objects.

    Args:
        path: the file.
        hint: what to look at when it is not there, for the message.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it cannot be read.
        ValueError: the file is no sound annotation; the message names it and
            the object.
    """
    root = parse_xml(read_content(path, 'annotation', hint), path)
    if root.tag != 'annotation':
        raise ValueError(f'{path}: a VOC annotation begins with <annotation>, got <{root.tag}>')
    return [
        _read_object(element, f'{path}: object {number}')
        for number, element in enumerate(root.findall('object'), start=1)
    ]


def largest_areas(objects: Iterable[VocObject]) -> dict[str, float]:
    """Class name -> area of its largest object, NaN where no size is known."""
    largest: dict[str, float] = {}
    for item in objects:
        known = largest.get(item.name, math.nan)
        # A comparison with NaN is false, so a known size wins over an unknown one
        largest[item.name] = known if known >= item.area or math.isnan(item.area) else item.area
    return largest


def check_names(path: str, objects: Sequence[VocObject], classes: Iterable[str]) -> None:
    """Refuse objects of a class that is not configured.

    Raises:
        ValueError: naming the file and the classes.
    """
    unknown = sorted({item.name for item in objects} - set(classes))
    if unknown:
        raise ValueError(
            f'{path}: objects of the classes {unknown}, which are not configured; '
            'correct the file or set metainfo=dict(classes=...)'
        )
