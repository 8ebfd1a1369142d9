"""Files of the VOC layout: image-set lists and one XML file per image."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from xml.etree.ElementTree import Element, ParseError

import mmengine.fileio as fileio
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from .files import read_content, read_text

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
LABELS = ('-1', '0', '1')  # of the lists of single classes
Box = tuple[float, float, float, float]  # x1, y1, x2, y2
BOX_SIDES = ('xmin', 'ymin', 'xmax', 'ymax')


@dataclass(frozen=True)
class VocObject:
    """Hold one object of an image.

    Attributes:
        name: Class name.
        difficult: True if the annotators marked it as hard to recognise.
        box: Edges (x1, y1, x2, y2) in pixels from the image's corner, or None. VOC counts pixels
            from 1 and includes both border pixels, so x1 is xmin - 1 and x2 is xmax.
    """

    name: str
    difficult: bool
    box: Box | None

    @property
    def area(self) -> float:
        """Return the area of the box in square pixels, NaN without one."""
        if self.box is None:
            return math.nan
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)


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


def read_image_set(path: str, names: Mapping[str, str] | None = None) -> list[str]:
    """Read the image ids of a list file, in its order.

    A line holds an id; a second column of -1, 0 or 1, as in the lists of single classes, is
    ignored, as are blank lines. Where the images are known, an id may contain blanks and stand with
    the suffix of its file.

    Args:
        path: List file.
        names: File name of each image id, from :func:`list_images`.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: A line is not of this form or fits two images, an id contains a path separator,
            or an id occurs twice; names the file and the line.
    """
    ids: list[str] = []
    first_line: dict[str, int] = {}
    for number, line in enumerate(read_text(path, 'image set').splitlines(), start=1):
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


def list_images(folder: str) -> dict[str, str]:
    """List an image folder as a dict from image id to file name.

    Raises:
        FileNotFoundError: ``folder`` does not exist.
        ValueError: Two files have the same id.
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


def parse_xml(content: bytes, path: str) -> Element:
    """Parse an untrusted XML file.

    A document type declaration is refused, and with it every entity that could expand without
    end or name another file.

    Args:
        content: Bytes of the file.
        path: File name for the messages.

    Returns:
        The root element.

    Raises:
        ValueError: ``content`` is not well-formed or declares a document type.
    """
    try:
        return fromstring(content, forbid_dtd=True)
    except DefusedXmlException as error:
        raise ValueError(
            f'{path}: refused, an annotation must not declare a document type '
            '(<!DOCTYPE ...>); remove the declaration'
        ) from error
    except (ParseError, LookupError, ValueError) as error:  # the latter two: its encoding
        raise ValueError(
            f'{path}: not well-formed XML ({error}); fetch the annotation again'
        ) from error


def _read_box(element: Element, where: str) -> Box | None:
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
            f'{dict(zip(BOX_SIDES, texts, strict=True))}; correct it, or set sizes=False'
        )
    return left - 1, top - 1, right, bottom


def _read_object(element: Element, where: str, sizes: bool) -> VocObject:
    for tag in ('name', 'difficult', 'bndbox') if sizes else ('name', 'difficult'):
        count = len(element.findall(tag))
        if count > 1:
            raise ValueError(f'{where}: {tag} must be there once, got {count}; keep one')
    name = (element.findtext('name') or '').strip()
    if not name:
        raise ValueError(f'{where} has no name; every <object> needs a <name>')
    difficult = element.findtext('difficult', '').strip() or '0'
    if difficult not in ('0', '1'):
        raise ValueError(f'{where}: difficult must be 0 or 1, got {difficult!r}; correct it')
    return VocObject(name, difficult == '1', _read_box(element, where) if sizes else None)


def read_objects(path: str, remedy: str = 'check data_root', sizes: bool = True) -> list[VocObject]:
    """Read the objects of one annotation file.

    An object without ``<difficult>``, or with an empty one, is not difficult. Parts of an object
    (VOC's person layout) are not objects.

    Args:
        path: Annotation file.
        remedy: Advice that ends the message when the file does not exist.
        sizes: False to leave out the boxes, which may then have any content.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        OSError: ``path`` cannot be read.
        ValueError: The file is not a valid annotation; names the file and the object.
    """
    root = parse_xml(read_content(path, 'annotation', remedy), path)
    if root.tag != 'annotation':
        raise ValueError(f'{path}: a VOC annotation begins with <annotation>, got <{root.tag}>')
    return [
        _read_object(element, f'{path}: object {number}', sizes)
        for number, element in enumerate(root.findall('object'), start=1)
    ]


def largest_areas(objects: Iterable[VocObject]) -> dict[str, float]:
    """Find the area of the largest object of each class, NaN where no size is known."""
    largest: dict[str, float] = {}
    for item in objects:
        known = largest.get(item.name, math.nan)
        # A comparison with NaN is false, so a known size wins over an unknown one
        largest[item.name] = known if known >= item.area or math.isnan(item.area) else item.area
    return largest


def check_names(path: str, objects: Iterable[VocObject], classes: Iterable[str]) -> None:
    """Refuse objects of a class that is not configured.

    Raises:
        ValueError: Names the file and the classes.
    """
    unknown = sorted({item.name for item in objects} - set(classes))
    if unknown:
        raise ValueError(
            f'{path}: objects of the classes {unknown}, which are not configured; '
            'correct the file or set metainfo=dict(classes=...)'
        )
