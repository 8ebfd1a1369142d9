"""COCO instances files, checked and gathered into a table of labels.

The annotations, up to a million, are checked a column at a time; each rule gives a flag for every
record, and the first flagged record is named in the message.
"""

import gc
import itertools
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .files import check_file_name, normalize_name
from .packed_labels import LabelTable

SECTIONS = ('images', 'annotations', 'categories')
Record = dict[str, Any]


@contextmanager
def paused_gc() -> Iterator[None]:
    """Pause the garbage collector while millions of objects are made that all stay alive.

    Otherwise it traverses them again and again, which can take as long as parsing them.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def parse_instances(path: str, content: bytes) -> dict[str, list[Record]]:
    """Parse a COCO instances file and check that it has its three sections.

    Outlines ("segmentation") are dropped while parsing: they are most of the file and no part of a
    label.

    Args:
        path: File name for the messages.
        content: Bytes of the file.

    Raises:
        ValueError: ``content`` is empty, not JSON, or lacks a section.
    """
    if not content or content.isspace():
        raise ValueError(f'{path}: the annotation file is empty; fetch it again')
    try:
        data = json.loads(content, object_hook=_without_outline)
    except (ValueError, RecursionError) as error:  # wrong syntax or encoding; too deep
        raise ValueError(f'{path}: not JSON ({error}); fetch the annotation file again') from error
    if not isinstance(data, dict):
        raise ValueError(
            f'{path}: a COCO instances file is a JSON object with {list(SECTIONS)}, '
            f'got a {type(data).__name__}'
        )
    for section in SECTIONS:
        if not isinstance(data.get(section), list):
            raise ValueError(
                f'{path}: the section "{section}" is missing or not a list; is this '
                'an instances file (not captions, keypoints or image info)?'
            )
        for number, record in enumerate(data[section]):
            if not isinstance(record, dict):
                raise ValueError(
                    f'{path}: entry {number} of "{section}" must be an object, got {record!r}'
                )
    return data


def _without_outline(record: Record) -> Record:
    record.pop('segmentation', None)
    return record


def _require(record: Record, key: str, kinds: tuple[type, ...], where: str) -> Any:
    value = record.get(key)
    if type(value) not in kinds:  # a bool is not accepted as an int
        raise ValueError(f'{where} must have a valid "{key}", got {value!r}')
    return value


def check_images(path: str, images: list[Record]) -> None:
    """Refuse images without id or name, listed twice, or outside the image folder.

    Raises:
        ValueError: Names the file and the image id.
    """
    seen_ids: set[int | str] = set()
    seen_names: dict[str, int | str] = {}
    for number, image in enumerate(images):
        image_id = _require(image, 'id', (int, str), f'{path}: image entry {number}')
        where = f'{path}: image {image_id}'
        file_name = _require(image, 'file_name', (str,), where)
        name = normalize_name(file_name)
        if image_id in seen_ids:
            raise ValueError(f'{path}: image id {image_id} is listed twice; keep one entry')
        if name in seen_names:
            raise ValueError(
                f'{path}: images {seen_names[name]} and {image_id} have the same '
                f'file_name {name!r}; merge them under one id'
            )
        check_file_name(file_name, where)
        seen_ids.add(image_id)
        seen_names[name] = image_id


def check_categories(path: str, categories: list[Record]) -> None:
    """Refuse categories without id or name, and ids or names that repeat.

    Raises:
        ValueError: Names the file and the category.
    """
    if not categories:
        raise ValueError(f'{path}: the section "categories" is empty, so there is no class')
    for number, category in enumerate(categories):
        where = f'{path}: category entry {number}'
        _require(category, 'id', (int,), where)
        _require(category, 'name', (str,), where)
    for key in ('id', 'name'):
        counts = Counter(category[key] for category in categories)
        repeated = sorted(value for value, count in counts.items() if count > 1)
        if repeated:
            raise ValueError(
                f'{path}: category {key}s must be distinct, these occur more than once: {repeated}'
            )


def _refuse(
    path: str,
    annotations: list[Record],
    flags: Iterable[bool | np.bool_],
    fault: Callable[[Record], str],
) -> None:
    """Raise for the first flagged annotation, if there is one."""
    row = next(itertools.compress(itertools.count(), flags), None)
    if row is not None:
        annotation = annotations[row]
        raise ValueError(f'{path}: annotation {annotation["id"]}: {fault(annotation)}')


def check_ids(path: str, annotations: list[Record]) -> None:
    """Refuse annotations without an ``id``, ``image_id`` or ``category_id``.

    Raises:
        ValueError: Names the file and the number of the entry.
    """
    for key in ('id', 'image_id', 'category_id'):
        kinds = [type(annotation.get(key)) for annotation in annotations]
        if not set(kinds) <= {int, str}:
            row = next(row for row, kind in enumerate(kinds) if kind not in (int, str))
            _require(annotations[row], key, (int, str), f'{path}: annotation entry {row}')


def find_owners(
    path: str, annotations: list[Record], kind: str, section: str, owners: list[Record]
) -> NDArray[np.int64]:
    """Find the image or the category of each annotation.

    Args:
        path: File name for the messages.
        annotations: M annotations that have passed :func:`check_ids`.
        kind: 'image' or 'category'.
        section: Name of the section that holds ``owners``.
        owners: Images or categories.

    Returns:
        int64 (M,), positions in ``owners``.

    Raises:
        ValueError: An annotation points nowhere; names the file and the annotation id.
    """
    key = f'{kind}_id'
    index_of = {owner['id']: index for index, owner in enumerate(owners)}
    wanted = (annotation[key] for annotation in annotations)
    found = np.fromiter(map(index_of.get, wanted, itertools.repeat(-1)), np.int64, len(annotations))
    _refuse(
        path,
        annotations,
        found < 0,
        lambda annotation: (
            f'{kind} {annotation[key]} is not listed under "{section}"; '
            'add it there or remove the annotation'
        ),
    )
    return found


def _number(value: Any) -> float:
    try:
        return float(value) if type(value) in (int, float) else math.nan
    except OverflowError:  # an integer beyond 1e308
        return math.nan


def _numbers(values: list[Any]) -> NDArray[np.float64]:
    """Convert to float64, NaN for values that are not numbers or beyond its range."""
    if set(map(type, values)) <= {int, float}:
        with suppress(OverflowError):
            return np.array(values, np.float64)
    return np.array([_number(value) for value in values])


def box_areas(path: str, annotations: list[Record]) -> NDArray[np.float64]:
    """Multiply width and height of the boxes.

    A box may begin outside the image, and its width or height may be zero (both occur in COCO),
    but not negative.

    Returns:
        float64 (M,) in square pixels, NaN without a ``bbox``.

    Raises:
        ValueError: Names the file and the annotation id.
    """

    def fault(annotation: Record) -> str:
        return (
            f'bbox must be [x, y, width >= 0, height >= 0] in finite numbers, got '
            f'{annotation["bbox"]!r}; correct or remove the annotation'
        )

    absent = [0, 0, 0, 0]
    boxes = [annotation.get('bbox', absent) for annotation in annotations]
    _refuse(path, annotations, (type(box) is not list or len(box) != 4 for box in boxes), fault)
    sides = _numbers(list(itertools.chain.from_iterable(boxes))).reshape(-1, 4)
    with np.errstate(over='ignore'):
        areas = sides[:, 2] * sides[:, 3]
    wrong = ~np.isfinite(sides).all(axis=1) | (sides[:, 2:] < 0).any(axis=1) | ~np.isfinite(areas)
    _refuse(path, annotations, wrong, fault)
    areas[np.array([box is absent for box in boxes], bool)] = np.nan
    return areas


def instance_areas(path: str, annotations: list[Record]) -> NDArray[np.float64]:
    """Collect the areas of the instances: ``area``, else that of ``bbox``.

    Returns:
        float64 (M,) in square pixels; NaN where neither is given, and for a crowd, which is many
        instances under one outline.

    Raises:
        ValueError: ``area``, ``bbox`` or ``iscrowd`` is out of range; names the file and the
            annotation id.
    """
    crowds = [annotation.get('iscrowd', 0) for annotation in annotations]
    _refuse(
        path,
        annotations,
        (crowd not in (0, 1) for crowd in crowds),
        lambda annotation: f'iscrowd must be 0 or 1, got {annotation["iscrowd"]!r}',
    )
    given = np.array(['area' in annotation for annotation in annotations], bool)
    areas = _numbers([annotation.get('area', 0) for annotation in annotations])
    _refuse(
        path,
        annotations,
        ~(np.isfinite(areas) & (areas >= 0)),
        lambda annotation: (
            f'area must be a finite number >= 0, got {annotation["area"]!r}; '
            'correct or remove the annotation'
        ),
    )
    areas = np.where(given, areas, box_areas(path, annotations))
    areas[np.array(crowds, bool)] = np.nan
    return areas


def parse_table(path: str, content: bytes) -> LabelTable:
    """Parse, check and gather a COCO instances file.

    Args:
        path: File name for the messages.
        content: Bytes of the file.

    Returns:
        Labels of the images in the order of the file, classes in ascending category id.

    Raises:
        ValueError: A section is missing or a record is not valid; names the file and the record.
    """
    with paused_gc():
        data = parse_instances(path, content)
        images, annotations = data['images'], data['annotations']
        check_categories(path, data['categories'])
        check_images(path, images)
        check_ids(path, annotations)
        categories = sorted(data['categories'], key=lambda category: category['id'])
        return LabelTable.from_columns(
            [category['name'] for category in categories],
            [image['file_name'] for image in images],
            find_owners(path, annotations, 'image', 'images', images),
            find_owners(path, annotations, 'category', 'categories', categories),
            instance_areas(path, annotations),
        )
