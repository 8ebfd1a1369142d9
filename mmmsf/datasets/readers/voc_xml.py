"""XML files of the VOC layout, one for each image."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from .files import read_content

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


def voc_labels(
    objects: Sequence[VocObject],
    index_of: Mapping[str, int],
    difficult: str,
) -> dict[str, list]:
    """Turn the objects of one image into its labels.

    Args:
        objects: Objects of the image.
        index_of: Index of each class name.
        difficult: Policy for classes with difficult objects only; see ``VocMultiLabel``.

    Returns:
        ``gt_label``, sorted; ``areas``, parallel to it, in square pixels; ``gt_ignore``, sorted,
        if there is any; ``gt_label_difficult``, sorted, the classes with a difficult object, as
        MMPretrain's VOC metrics expect it. The area is that of the largest object of the class
        that is not difficult, or of its largest difficult one if it has no other.
    """
    areas = largest_areas(item for item in objects if not item.difficult)
    of_difficult = largest_areas(item for item in objects if item.difficult)
    only_difficult = {name: area for name, area in of_difficult.items() if name not in areas}
    if difficult == 'positive':
        areas |= only_difficult
    names = sorted(areas, key=index_of.__getitem__)
    labels: dict[str, list] = dict(
        gt_label=[index_of[name] for name in names],
        areas=[areas[name] for name in names],
        gt_label_difficult=sorted(index_of[name] for name in of_difficult),
    )
    if difficult == 'ignore' and only_difficult:
        labels['gt_ignore'] = sorted(index_of[name] for name in only_difficult)
    return labels
