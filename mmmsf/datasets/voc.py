"""PASCAL VOC, and any data in its layout, as multi-label classification."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import mmengine.fileio as fileio
from mmengine.fileio import join_path
from mmengine.logging import print_log

from mmmsf.registry import DATASETS

from .base import MultiLabelData, check_classes
from .categories import VOC_CLASSES
from .readers.voc_xml import (
    VocObject,
    check_names,
    largest_areas,
    list_images,
    read_image_set,
    read_objects,
)

DIFFICULT_POLICIES = ('ignore', 'negative', 'positive')
MISSING_XML_POLICIES = ('error', 'negative')


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


@DATASETS.register_module()
class VocMultiLabel(MultiLabelData):
    """Read a folder in PASCAL VOC's layout; the labels of an image are the names of its objects.

    The images of ``ImageSets/Main/<split>.txt`` are at ``JPEGImages/<id>.jpg`` (own data may also
    have .jpeg, .png, .bmp, .webp, .tif or .tiff) and their objects in ``Annotations/<id>.xml``.
    Images keep the order of the list. VOC 2007 has 5,011 images in trainval and 4,952 in test; VOC
    2012 has 11,540 in trainval (5,717 train, 5,823 val) and 10,991 in test, whose labels are not
    public.

    Args:
        data_root: Folder of one year, such as ``data/VOCdevkit/VOC2007``.
        split: 'train', 'val', 'trainval', 'test' or the name of another list.
        difficult: Policy for a class that occurs in an image only as objects marked difficult:
            'ignore' makes it neither positive nor negative, as VOC's own evaluation does;
            'negative'; 'positive'. A class with an object that is not difficult is always
            positive.
        labelled: False for a split without public labels; no XML file is read then, and every
            class of every image is ignored.
        missing_xml: Policy for an image without XML file among others that have one: 'error', or
            'negative' for an example without any class, for which labelling tools write no file.
        sizes: False to read no boxes: for annotations whose boxes are not valid. Then there is no
            size-aware AP.
        classes, metainfo: Class names in the order of their indices, for own data; VOC's 20 by
            default.
        filter_cfg, pipeline, ...: As in ``MultiLabelData``.

    Raises:
        FileNotFoundError: The list of the split, the image folder, or the image or XML file of a
            listed id is missing.
        ValueError: ``difficult``, ``missing_xml`` or ``split`` is out of range, a list or XML file
            is not valid, or the class of an object is not configured.
    """

    METAINFO = dict(classes=VOC_CLASSES)

    def __init__(
        self,
        data_root: str,
        split: str = 'trainval',
        difficult: str = 'ignore',
        labelled: bool = True,
        missing_xml: str = 'error',
        sizes: bool = True,
        **kwargs: Any,
    ) -> None:
        if difficult not in DIFFICULT_POLICIES:
            raise ValueError(
                f'difficult must be one of {list(DIFFICULT_POLICIES)}, got {difficult!r}'
            )
        if missing_xml not in MISSING_XML_POLICIES:
            raise ValueError(
                f'missing_xml must be one of {list(MISSING_XML_POLICIES)}, got {missing_xml!r}'
            )
        if not split or os.path.basename(split) != split or '\\' in split:
            raise ValueError(
                'split must be the name of a list in ImageSets/Main without folder '
                f'and suffix, got {split!r}'
            )
        self.split = split
        self.difficult = difficult
        self.labelled = labelled
        self.missing_xml = missing_xml
        self.sizes = sizes
        self._negatives: frozenset[str] = frozenset()
        super().__init__(
            ann_file=f'ImageSets/Main/{split}.txt',
            data_root=os.path.expanduser(data_root),
            data_prefix='JPEGImages',
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Read list and XML files into the items that ``MultiLabelData`` describes."""
        check_classes(self._metainfo['classes'])
        names = list_images(self.img_prefix)
        ids = read_image_set(self.ann_file, names)
        missing = [image_id for image_id in ids if image_id not in names]
        if missing:
            raise FileNotFoundError(
                f'{self.ann_file}: {len(missing)} of {len(ids)} ids have no '
                f'image in {self.img_prefix}, the first is {missing[0]!r}'
            )
        self._check_annotations(ids)
        return [
            dict(
                img_path=join_path(self.img_prefix, names[image_id]), **self._read_labels(image_id)
            )
            for image_id in ids
        ]

    def _check_annotations(self, ids: Sequence[str]) -> None:
        """Refuse images without XML file, or log their number where they are negatives."""
        if not self.labelled:
            return
        missing = [one for one in ids if not fileio.exists(self._annotation(one))]
        if not missing:
            return
        if self.missing_xml == 'error' or len(missing) == len(ids):
            remedy = (
                'for a split without labels set labelled=False'
                if len(missing) == len(ids)
                else "annotate or unlist them, or set missing_xml='negative' if they show no class"
            )
            raise FileNotFoundError(
                f'{self._annotation(missing[0])}: no such annotation; {self.ann_file} lists '
                f'{missing[0]}, and {len(missing)} of its {len(ids)} images have none; {remedy}'
            )
        print_log(
            f'{self.ann_file}: {len(missing)} of {len(ids)} images have no XML file and are '
            f'negatives, the first is {missing[0]}',
            logger='current',
        )
        self._negatives = frozenset(missing)

    def _read_labels(self, image_id: str) -> dict[str, list]:
        classes = self._metainfo['classes']
        if not self.labelled:
            every = list(range(len(classes)))
            return dict(gt_label=[], areas=[], gt_ignore=every, gt_label_difficult=[])
        objects = self.objects_of(image_id)
        check_names(self._annotation(image_id), objects, classes)
        return voc_labels(objects, {name: k for k, name in enumerate(classes)}, self.difficult)

    def _annotation(self, image_id: str) -> str:
        return join_path(self.data_root, 'Annotations', f'{image_id}.xml')

    def objects_of(self, image_id: str) -> list[VocObject]:
        """Read the objects of an image; raises as :func:`read_objects` does."""
        if image_id in self._negatives:
            return []
        return read_objects(
            self._annotation(image_id), f'{self.ann_file} lists {image_id}', self.sizes
        )
