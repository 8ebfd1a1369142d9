"""MS COCO, and any data in its instances format, as multi-label classification."""

import contextlib
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.fileio import join_path
from pycocotools.coco import COCO

from mmmsf.registry import DATASETS

from .base import MultiLabelData, check_classes
from .coco_check import check_annotations, check_categories, check_images, read_instances


def load_coco(path: str) -> COCO:
    """Read and check a COCO instances file, without pycocotools' prints.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the content is not sound; see ``coco_check``.
    """
    data = read_instances(path)
    check_categories(path, data['categories'])
    check_images(path, data['images'])
    check_annotations(path, data)
    coco = COCO()
    coco.dataset = data
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def match_classes(path: str, found: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    """Settle the class order.

    Args:
        path: the annotation file, for the message.
        found: its category names in ascending id.
        wanted: the configured names in the wanted order, or None.

    Returns:
        ``wanted`` if given, else ``found``.

    Raises:
        ValueError: ``wanted`` is not a permutation of ``found``.
    """
    if wanted is None:
        return list(found)
    check_classes(wanted)
    missing = [name for name in wanted if name not in set(found)]
    surplus = [name for name in found if name not in set(wanted)]
    if missing or surplus:
        raise ValueError(f'{path}: its categories must be the configured classes; classes missing '
                         f'from the file: {missing}; categories of the file that are not '
                         f'configured: {surplus}')
    return list(wanted)


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


def gather_labels(
    annotations: Iterable[Mapping[str, Any]],
    index_of: Mapping[int, int],
) -> tuple[list[int], list[float]]:
    """Labels of one image and the size of each.

    Args:
        annotations: the image's instances.
        index_of: category id -> class index.

    Returns:
        The class indices, sorted and distinct, and parallel to them the area
        in square pixels of the class's largest instance (NaN if unknown).
    """
    largest: dict[int, float] = {}
    for annotation in annotations:
        label = index_of[annotation['category_id']]
        # fmax passes over NaN, so a known size wins over an unknown one
        largest[label] = float(np.fmax(largest.get(label, math.nan), instance_area(annotation)))
    labels = sorted(largest)
    return labels, [largest[label] for label in labels]


@DATASETS.register_module()
class CocoMultiLabel(MultiLabelData):
    """A COCO instances file: an image's labels are the categories of its instances.

    Crowd instances give a label as well, but no size. Classes are the
    categories in ascending id (80 for COCO 2014), or in the order of
    ``metainfo=dict(classes=...)``, which must hold the same names. Images keep
    the file's order; an image is at ``data_prefix`` + its ``file_name``, which
    may contain folders but not leave ``data_prefix``.

    Args:
        ann_file: the instances file, relative to ``data_root``.
        data_root, data_prefix, filter_cfg, ...: as in ``MultiLabelData``.

    Raises:
        FileNotFoundError: ``ann_file`` does not exist.
        ValueError: ``ann_file`` is not sound (the message names the file and
            the record) or its categories are not the configured classes.
    """

    def load_data_list(self) -> list[dict]:
        """Read ``ann_file`` into the items that ``MultiLabelData`` describes."""
        coco = load_coco(self.ann_file)
        categories = {coco.cats[key]['name']: key for key in sorted(coco.cats)}
        classes = match_classes(
            self.ann_file, list(categories), self._metainfo.get('classes'))
        self._metainfo['classes'] = tuple(classes)
        index_of = {categories[name]: index for index, name in enumerate(classes)}
        items = []
        for image_id, image in coco.imgs.items():
            # .get: indexing the defaultdict would add the images without instances
            labels, areas = gather_labels(coco.imgToAnns.get(image_id, ()), index_of)
            path = join_path(self.img_prefix, image['file_name'])
            items.append(dict(img_path=path, gt_label=labels, areas=areas))
        return items
