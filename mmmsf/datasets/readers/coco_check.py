"""Checks of a COCO instances file: what pycocotools takes on trust is looked at here."""

import json
import math
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import PureWindowsPath
from typing import Any

# What a name needs, besides a leading slash, to leave its folder on any system, or to be no file.
RISKY = re.compile(r'\.\.|[\\:\0]')
# What a name needs to be another spelling of a shorter one.
LONG = re.compile(r'^\./|//|/\./')
SECTIONS = ('images', 'annotations', 'categories')


def _without(key: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def drop(record: dict[str, Any]) -> dict[str, Any]:
        record.pop(key, None)
        return record

    return drop


def parse_instances(path: str, content: bytes, drop: str | None = None) -> dict[str, Any]:
    """Parse a COCO instances file and check that its three sections are there.

    Args:
        path: where it is, for the messages.
        content: what is in it.
        drop: a key that is taken out of every record as soon as it is parsed, to save memory.

    Raises:
        ValueError: it is empty, not JSON, or lacks a section.
    """
    if not content or content.isspace():
        raise ValueError(f'{path}: the annotation file is empty; fetch it again')
    try:
        data = json.loads(content, object_hook=None if drop is None else _without(drop))
    except (ValueError, RecursionError) as error:  # wrong syntax or encoding; nested without end
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


def _require(
    record: Mapping[str, Any], keys: tuple[str, ...], kinds: tuple[type, ...], where: str
) -> None:
    for key in keys:
        if type(record.get(key)) not in kinds:  # so that True is no id
            raise ValueError(f'{where} must have a sound "{key}", got {record.get(key)!r}')


def check_file_name(file_name: str, where: str) -> None:
    """Refuse a file name that leads out of the image folder.

    Only the text counts: folders and files below the image folder may be links to anywhere.

    Raises:
        ValueError: ``file_name`` is empty, absolute, a URL, holds ``..`` or what no name can hold;
            ``where`` opens the message.
    """
    if file_name[:1] not in ('', '/') and not RISKY.search(file_name):
        return  # almost every name, without the cost of a path object
    parts = PureWindowsPath(file_name)  # splits at both kinds of slash
    if not file_name or parts.anchor or '..' in parts.parts or '://' in file_name:
        raise ValueError(
            f'{where}: file_name must stay inside the image folder (relative, '
            f'without ".."), got {file_name!r}'
        )
    if '\0' in file_name:
        raise ValueError(f'{where}: no file can have the file_name {file_name!r}; correct it')


def plain_name(file_name: str) -> str:
    """One spelling of a relative path: ``./a//b.jpg`` is ``a/b.jpg``."""
    return posixpath.normpath(file_name) if LONG.search(file_name) else file_name


def check_images(path: str, images: list[dict[str, Any]]) -> None:
    """Refuse images without id or name, listed twice, or outside the image folder.

    Raises:
        ValueError: naming the annotation file and the image id.
    """
    seen_ids: set[int | str] = set()
    seen_names: dict[str, int | str] = {}
    for number, image in enumerate(images):
        _require(image, ('id',), (int, str), f'{path}: image entry {number}')
        image_id = image['id']
        _require(image, ('file_name',), (str,), f'{path}: image {image_id}')
        name = plain_name(image['file_name'])
        if image_id in seen_ids:
            raise ValueError(f'{path}: image id {image_id} is listed twice; keep one entry')
        if name in seen_names:
            raise ValueError(
                f'{path}: images {seen_names[name]} and {image_id} have the same '
                f'file_name {name!r}; merge them under one id'
            )
        check_file_name(image['file_name'], f'{path}: image {image_id}')
        seen_ids.add(image_id)
        seen_names[name] = image_id


def check_categories(path: str, categories: list[dict[str, Any]]) -> None:
    """Refuse categories without id or name, and ids or names that repeat.

    Raises:
        ValueError: naming the annotation file and the category.
    """
    if not categories:
        raise ValueError(f'{path}: the section "categories" is empty, so there is no class')
    for number, category in enumerate(categories):
        where = f'{path}: category entry {number}'
        _require(category, ('id',), (int,), where)
        _require(category, ('name',), (str,), where)
    for key in ('id', 'name'):
        counts = Counter(category[key] for category in categories)
        repeated = sorted(value for value, count in counts.items() if count > 1)
        if repeated:
            raise ValueError(
                f'{path}: category {key}s must be distinct, these occur more than once: {repeated}'
            )


def _is_finite(value: object) -> bool:
    try:
        return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
    except OverflowError:  # an integer beyond 1e308
        return False


def check_annotations(path: str, data: Mapping[str, Any]) -> None:
    """Refuse annotations that point nowhere or have an impossible size.

    A box may begin outside the image, but its width and height may not be
    negative; zero occurs in COCO itself.

    Raises:
        ValueError: naming the annotation file and the annotation id.
    """
    image_ids = {image['id'] for image in data['images']}
    category_ids = {category['id'] for category in data['categories']}
    for number, annotation in enumerate(data['annotations']):
        _require(
            annotation,
            ('id', 'image_id', 'category_id'),
            (int, str),
            f'{path}: annotation entry {number}',
        )
        where = f'{path}: annotation {annotation["id"]}'
        if annotation['image_id'] not in image_ids:
            raise ValueError(
                f'{where}: image {annotation["image_id"]} is not listed under '
                '"images"; add it there or remove the annotation'
            )
        if annotation['category_id'] not in category_ids:
            raise ValueError(
                f'{where}: category {annotation["category_id"]} is not listed under '
                '"categories"; add it there or remove the annotation'
            )
        if annotation.get('iscrowd', 0) not in (0, 1):
            raise ValueError(f'{where}: iscrowd must be 0 or 1, got {annotation["iscrowd"]!r}')
        area = annotation.get('area', 0)
        if not _is_finite(area) or area < 0:
            raise ValueError(
                f'{where}: area must be a finite number >= 0, got {area!r}; '
                'correct or remove the annotation'
            )
        bbox = annotation.get('bbox', [0, 0, 0, 0])
        if (
            not isinstance(bbox, list)
            or len(bbox) != 4
            or not all(map(_is_finite, bbox))
            or bbox[2] < 0
            or bbox[3] < 0
            or not _is_finite(float(bbox[2]) * bbox[3])
        ):
            raise ValueError(
                f'{where}: bbox must be [x, y, width >= 0, height >= 0] in finite '
                f'numbers, got {bbox!r}; correct or remove the annotation'
            )
