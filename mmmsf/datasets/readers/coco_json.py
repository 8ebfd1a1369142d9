"""The instances of a COCO file as columns: checked and gathered array by array."""

import gc
import itertools
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from .coco_check import check_annotations, check_categories, check_images, parse_instances
from .packed_labels import LabelTable


@contextmanager
def paused_gc() -> Iterator[None]:
    """Hold the garbage collector while millions of objects are made that cannot be garbage.

    It looks through all of them again and again as they grow in number, which can take as long
    as parsing them.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def instance_area(annotation: Mapping[str, Any]) -> float:
    """Area of one instance in square pixels.

    ``area``, else width x height of ``bbox``, else NaN. A crowd is many
    instances under one outline, so it has no instance size: NaN.
    """
    if annotation.get('iscrowd', 0):
        return math.nan
    if 'area' in annotation:
        return float(annotation['area'])
    if 'bbox' in annotation:
        return float(annotation['bbox'][2] * annotation['bbox'][3])
    return math.nan


def _are(kinds: set[type], values: list) -> bool:
    return set(map(type, values)) <= kinds


def _sizes_are_sound(annotations: list[dict[str, Any]]) -> bool:
    crowds = [annotation.get('iscrowd', 0) for annotation in annotations]
    areas = [annotation.get('area', 0) for annotation in annotations]
    boxes = [annotation.get('bbox', [0, 0, 0, 0]) for annotation in annotations]
    if not _are({int}, crowds) or not set(crowds) <= {0, 1}:
        return False
    if not _are({int, float}, areas) or not _are({list}, boxes) or set(map(len, boxes)) != {4}:
        return False
    sides = list(itertools.chain.from_iterable(boxes))
    if not _are({int, float}, sides):
        return False
    try:
        area, box = np.array(areas, np.float64), np.array(sides, np.float64).reshape(-1, 4)
    except OverflowError:  # an integer beyond 1e308
        return False
    # with the signs, one minimum refuses -1, -inf and NaN
    return bool(
        np.isfinite(area).all()
        and area.min() >= 0
        and np.isfinite(box).all()
        and box[:, 2:].min() >= 0
        and math.isfinite(float(box[:, 2].max()) * float(box[:, 3].max()))
    )


def annotations_are_sound(data: Mapping[str, Any]) -> bool:
    """Whether ``check_annotations`` has nothing to say, found column by column.

    Returns:
        True only if that function raises nothing; False also where it must
        look itself (a bool for an id, for example).
    """
    annotations = data['annotations']
    if not annotations:
        return True
    columns = {
        key: [annotation.get(key) for annotation in annotations]
        for key in ('id', 'image_id', 'category_id')
    }
    return (
        all(_are({int, str}, column) for column in columns.values())
        and {image['id'] for image in data['images']}.issuperset(columns['image_id'])
        and {category['id'] for category in data['categories']}.issuperset(columns['category_id'])
        and _sizes_are_sound(annotations)
    )


def gather_table(data: Mapping[str, Any]) -> LabelTable:
    """Labels of the images of a checked file, classes in ascending category id."""
    categories = sorted(data['categories'], key=lambda category: category['id'])
    index_of = {category['id']: index for index, category in enumerate(categories)}
    row_of = {image['id']: row for row, image in enumerate(data['images'])}
    annotations = data['annotations']
    count = len(annotations)
    return LabelTable.from_columns(
        [category['name'] for category in categories],
        [image['file_name'] for image in data['images']],
        np.fromiter((row_of[item['image_id']] for item in annotations), np.int64, count),
        np.fromiter((index_of[item['category_id']] for item in annotations), np.int64, count),
        np.fromiter(map(instance_area, annotations), np.float64, count),
    )


def parse_table(path: str, content: bytes) -> LabelTable:
    """Parse, check and gather a COCO instances file.

    Args:
        path: where it is, for the messages.
        content: what is in it.

    Raises:
        ValueError: the content is not sound; see ``coco_check``.
    """
    with paused_gc():
        # outlines are most of the file and no part of a label
        data = parse_instances(path, content, drop='segmentation')
        check_categories(path, data['categories'])
        check_images(path, data['images'])
        if not annotations_are_sound(data):
            check_annotations(path, data)  # names the annotation and what is wrong
        return gather_table(data)
