"""COCO instances files, checked and gathered into a table of labels."""

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from .coco_annotations import Record, check_ids, find_owners, instance_areas, require
from .coco_unknowns import find_unknowns
from .files import check_file_name, find_repeated, normalize_name
from .packed_labels import LabelTable

SECTIONS = ('images', 'annotations', 'categories')


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
    label. An image without "file_name", as LVIS has them, is named by the last folder and the file
    of its "coco_url".

    Args:
        path: File name for the messages.
        content: Bytes of the file.

    Raises:
        ValueError: ``content`` is empty, not JSON, or lacks a section.
    """
    if not content or content.isspace():
        raise ValueError(f'{path}: the annotation file is empty; fetch it again')
    try:
        data = json.loads(content, object_hook=_tidy)
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


def _tidy(record: Record) -> Record:
    record.pop('segmentation', None)
    url = record.get('coco_url')
    if type(url) is str and '/' in url and record.get('file_name') is None:
        record['file_name'] = '/'.join(url.split('/')[-2:])
    return record


def check_images(path: str, images: list[Record]) -> None:
    """Refuse images without id or name, listed twice, or outside the image folder.

    Raises:
        ValueError: Names the file and the image id.
    """
    seen_ids: set[int | str] = set()
    seen_names: dict[str, int | str] = {}
    for number, image in enumerate(images):
        image_id = require(image, 'id', (int, str), f'{path}: image entry {number}')
        where = f'{path}: image {image_id}'
        file_name = require(image, 'file_name', (str,), where)
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
        require(category, 'id', (int,), where)
        require(category, 'name', (str,), where)
    for key in ('id', 'name'):
        repeated = find_repeated(category[key] for category in categories)
        if repeated:
            raise ValueError(
                f'{path}: category {key}s must be distinct, these occur more than once: {repeated}'
            )


def parse_table(path: str, content: bytes, sizes: bool = True) -> LabelTable:
    """Parse, check and gather a COCO instances file.

    Args:
        path: File name for the messages.
        content: Bytes of the file.
        sizes: False to leave out boxes and areas, which may then have any content.

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
        rows = find_owners(path, annotations, 'image', 'images', images)
        labels = find_owners(path, annotations, 'category', 'categories', categories)
        listed, partial = find_unknowns(path, images, categories, rows, labels)
        return LabelTable.from_columns(
            [category['name'] for category in categories],
            [image['file_name'] for image in images],
            rows,
            labels,
            instance_areas(path, annotations) if sizes else np.full(len(annotations), np.nan),
            listed,
            partial,
        )
