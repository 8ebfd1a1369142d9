"""Boxes of the labelled objects, by image and class."""

from collections.abc import Iterator
from pathlib import PurePath

import mmengine.fileio as fileio
from mmengine.fileio import join_path

from mmmsf.datasets.base import MultiLabelData
from mmmsf.datasets.coco import CocoMultiLabel
from mmmsf.datasets.readers.coco_json import parse_instances
from mmmsf.datasets.readers.voc_xml import Box
from mmmsf.datasets.voc import VocMultiLabel

Found = Iterator[tuple[str, int, Box]]  # image path, class index, box


def _coco_boxes(dataset: CocoMultiLabel) -> Found:
    content = parse_instances(dataset.ann_file, fileio.get(dataset.ann_file))
    index_of = {
        category['id']: dataset.index_of[category['name']]
        for category in content['categories']
        if category['name'] in dataset.index_of
    }
    names = {image['id']: image['file_name'] for image in content['images']}
    for annotation in content['annotations']:
        if annotation.get('bbox') is not None and annotation['category_id'] in index_of:
            x, y, width, height = annotation['bbox']
            yield (
                join_path(dataset.img_prefix, names[annotation['image_id']]),
                index_of[annotation['category_id']],
                (x, y, x + width, y + height),
            )


def _voc_boxes(dataset: VocMultiLabel) -> Found:
    index_of = {name: k for k, name in enumerate(dataset.metainfo['classes'])}
    for i in range(len(dataset)):
        path = dataset.get_data_info(i)['img_path']
        for item in dataset.objects_of(PurePath(path).stem):
            if item.box is not None:
                yield path, index_of[item.name], item.box


def class_boxes(dataset: MultiLabelData) -> dict[str, dict[int, list[Box]]]:
    """Read the boxes of the labelled objects, crowds and difficult objects included.

    Args:
        dataset: Loaded dataset.

    Returns:
        Image path -> class index -> boxes (x1, y1, x2, y2) in pixels. Objects without a box are
        left out.

    Raises:
        ValueError: No object has a box, or the format has no boxes.
    """
    if isinstance(dataset, CocoMultiLabel):
        boxes = _coco_boxes(dataset)
    elif isinstance(dataset, VocMultiLabel) and dataset.labelled:
        boxes = _voc_boxes(dataset)
    else:
        raise ValueError(
            f'a {type(dataset).__name__} has no boxes; they come with labelled COCO- '
            'and VOC-style data'
        )
    found: dict[str, dict[int, list[Box]]] = {}
    for path, label, box in boxes:
        found.setdefault(path, {}).setdefault(label, []).append(box)
    if not found:
        raise ValueError(f'{dataset.ann_file}: no object has a box')
    return found
