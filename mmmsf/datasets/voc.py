"""PASCAL VOC, and any data in its layout, as multi-label classification."""

import logging
import os
from collections import Counter
from dataclasses import replace
from typing import Any

import mmengine.fileio as fileio
from mmengine.fileio import join_path
from mmengine.logging import print_log

from mmmsf.registry import DATASETS

from .base import MultiLabelData
from .categories import VOC_CLASSES
from .class_names import check_classes
from .readers.image_sets import list_annotations, list_images, read_image_set
from .readers.voc_xml import VocObject, read_objects, voc_labels
from .voc_split import SIDES, check_split_options, list_path, split_exists, write_split

DIFFICULT_POLICIES = ('ignore', 'negative', 'positive')
MISSING_XML_POLICIES = ('error', 'negative', 'drop')
LIST_REMEDY = (
    'check data_root and split, set split_ratio to split all images into train and val, or '
    'split=None to take all'
)


@DATASETS.register_module()
class VocMultiLabel(MultiLabelData):
    """Read a folder in PASCAL VOC's layout; the labels of an image are the names of its objects.

    The images of ``ImageSets/Main/<split>.txt`` are at ``JPEGImages/<id>.jpg`` (own data may also
    have .jpeg, .png, .bmp, .webp, .tif or .tiff) and their objects in ``Annotations/<id>.xml``.
    Images keep the order of the list. ``image_dir`` and ``ann_dir`` name other folders, and where
    there are no lists, ``split_ratio`` writes them. VOC 2007 has 5,011 images in trainval and 4,952
    in test; VOC 2012 has 11,540 in trainval (5,717 train, 5,823 val) and 10,991 in test, whose
    labels are not public.

    Args:
        data_root: Folder of one year, such as ``data/VOCdevkit/VOC2007``, or of own data.
        split: 'train', 'val', 'trainval', 'test' or the name of another list; None for all images
            of ``image_dir``, sorted by name.
        difficult: Policy for a class that occurs in an image only as objects marked difficult:
            'ignore' makes it neither positive nor negative, as VOC's own evaluation does;
            'negative'; 'positive'. A class with an object that is not difficult is always
            positive.
        labelled: False for a split without public labels; no XML file is read then, and every
            class of every image is ignored.
        missing_xml: Policy for an image without XML file among others that have one: 'error';
            'negative' for an example without any class, for which labelling tools write no file;
            'drop' to leave it out.
        sizes: False to read no boxes: for annotations whose boxes are not valid. Then there is no
            size-aware AP.
        image_dir: Folder of the images in ``data_root``; '.' for that folder itself.
        ann_dir: Folder of the XML files in ``data_root``, likewise.
        split_ratio: Share of the images for val. Where there are no lists yet, the images are split
            into train and val, stratified over the names of their objects, and ``train.txt`` and
            ``val.txt`` are written. From then on these count. Images in ``test.txt`` stay out.
        split_seed: Seed of that split.
        split_dir: Folder of the lists in ``data_root``.
        classes, metainfo: Class names in the order of their indices, for own data; objects of
            other classes are dropped, counted and named. VOC's 20 by default, and then another
            name is an error.
        filter_cfg, pipeline, ...: As in ``MultiLabelData``.

    Raises:
        FileNotFoundError: The list of the split, the image folder, or the image or XML file of a
            listed id is missing.
        OSError: The lists of the split cannot be written.
        ValueError: An argument is out of range, a list or XML file is not valid, or an object has
            a class that is not among VOC's while ``classes`` are not given.

    Example:
        >>> photos = dict(data_root='photos', image_dir='.', ann_dir='.', classes=['cat', 'dog'])
        >>> data = VocMultiLabel(**photos, split='train', split_ratio=0.2)  # doctest: +SKIP
    """

    METAINFO = dict(classes=VOC_CLASSES)

    def __init__(
        self,
        data_root: str,
        split: str | None = 'trainval',
        difficult: str = 'ignore',
        labelled: bool = True,
        missing_xml: str = 'error',
        sizes: bool = True,
        image_dir: str = 'JPEGImages',
        ann_dir: str = 'Annotations',
        split_ratio: float | None = None,
        split_seed: int = 0,
        split_dir: str = 'ImageSets/Main',
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
        check_split_options(split, split_ratio)
        self.split = split
        self.difficult = difficult
        self.labelled = labelled
        self.missing_xml = missing_xml
        self.sizes = sizes
        self.split_ratio = split_ratio
        self.split_seed = split_seed
        data_root = os.path.expanduser(data_root)
        self.ann_folder = join_path(data_root, os.path.expanduser(ann_dir))
        self.list_folder = join_path(data_root, os.path.expanduser(split_dir))
        self._xml_names: dict[str, str] = {}
        self._negatives: frozenset[str] = frozenset()
        super().__init__(
            ann_file=image_dir if split is None else list_path(split_dir, split),
            data_root=data_root,
            data_prefix='' if image_dir == '.' else image_dir,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Read list and XML files into the items that ``MultiLabelData`` describes."""
        check_classes(self._metainfo['classes'])
        names = list_images(self.img_prefix)
        self._xml_names = list_annotations(self.ann_folder) if self.labelled else {}
        if self.split is None or self.split_ratio is not None:
            self._name_orphans(names)
        ids = self._annotated(self._listed(names), self.ann_file)
        objects = [self._read(image_id) for image_id in ids]
        self._choose_classes(ids, objects)
        index_of = {name: k for k, name in enumerate(self._metainfo['classes'])}
        return [
            dict(
                img_path=join_path(self.img_prefix, names[image_id]),
                **self._labels(own, index_of),
            )
            for image_id, own in zip(ids, objects, strict=True)
        ]

    def _name_orphans(self, names: dict[str, str]) -> None:
        orphans = [name for image_id, name in self._xml_names.items() if image_id not in names]
        if orphans:
            print_log(
                f'{self.ann_folder}: {len(orphans)} XML files have no image in {self.img_prefix} '
                f'and are not used, the first is {orphans[0]!r}; check image_dir',
                logger='current',
                level=logging.WARNING,
            )

    def _listed(self, names: dict[str, str]) -> list[str]:
        """Return the ids of the split, which is made first if there is none yet."""
        if self.split is None:
            return list(names)
        if self.split_ratio is not None:
            self._split(names, self.split_ratio)
        ids = read_image_set(self.ann_file, names, LIST_REMEDY)
        missing = [image_id for image_id in ids if image_id not in names]
        if missing:
            raise FileNotFoundError(
                f'{self.ann_file}: {len(missing)} of {len(ids)} ids have no '
                f'image in {self.img_prefix}, the first is {missing[0]!r}'
            )
        return ids

    def _split(self, names: dict[str, str], ratio: float) -> None:
        """Write the lists of a split unless there are both."""
        folder, test = self.list_folder, list_path(self.list_folder, 'test')
        apart = set(read_image_set(test, names)) if fileio.exists(test) else set()
        ids = [image_id for image_id in names if image_id not in apart]
        options = f'split_ratio={ratio} and split_seed={self.split_seed}'
        if split_exists(folder):
            counts = self._name_unlisted(ids, names)
            text = f'an earlier split counts, of {counts} images; {options} have no effect'
        else:
            ids = self._annotated(ids, self.img_prefix)
            labels = {one: sorted({item.name for item in self._read(one)}) for one in ids}
            counts = write_split(folder, names, labels, ratio, self.split_seed)
            text = f'split into {counts} images by {options}'
        print_log(f'{folder}: {text}', logger='current')

    def _name_unlisted(self, ids: list[str], names: dict[str, str]) -> dict[str, int]:
        """Log the images that both lists of a split lack; return the length of each list."""
        lists = {side: read_image_set(list_path(self.list_folder, side), names) for side in SIDES}
        listed = {image_id for own in lists.values() for image_id in own}
        new = [one for one in ids if one not in listed]
        if self.missing_xml == 'drop':
            new = [one for one in new if self._has_xml(one)]
        if new:
            print_log(
                f'{self.list_folder}: {len(new)} images of {self.img_prefix} are in neither list '
                f'and are not used, the first is {names[new[0]]!r}; add them to train.txt or '
                'val.txt, or remove both lists to split again',
                logger='current',
                level=logging.WARNING,
            )
        return {side: len(own) for side, own in lists.items()}

    def _annotated(self, ids: list[str], where: str) -> list[str]:
        """Apply ``missing_xml`` to the images without XML file, and log their number."""
        if not self.labelled:
            return ids
        missing = {one: None for one in ids if not self._has_xml(one)}
        if not missing:
            return ids
        first = next(iter(missing))
        if self.missing_xml == 'error' or len(missing) == len(ids):
            remedy = (
                'check ann_dir, or for a split without labels set labelled=False'
                if len(missing) == len(ids)
                else "annotate or unlist them, or set missing_xml='negative' if they show no "
                "class, 'drop' to leave them out"
            )
            raise FileNotFoundError(
                f'{self._annotation(first)}: no such annotation; {where} lists '
                f'{first}, and {len(missing)} of its {len(ids)} images have none; {remedy}'
            )
        drop = self.missing_xml == 'drop'
        print_log(
            f'{where}: {len(missing)} of {len(ids)} images have no XML file and are '
            f'{"left out" if drop else "negatives"}, the first is {first}',
            logger='current',
        )
        if drop:
            return [one for one in ids if one not in missing]
        self._negatives = frozenset(missing)
        return ids

    def _choose_classes(self, ids: list[str], objects: list[list[VocObject]]) -> None:
        """Choose the classes among the names of the objects.

        Raises:
            ValueError: A name is not among VOC's, and ``classes`` are not given.
        """
        counts = Counter(name for own in objects for name in sorted({item.name for item in own}))
        found = sorted(counts)
        if self.configured_classes is None:
            found = list(self._metainfo['classes'])
            new_names = {self.rename_classes.get(name, name) for name in found}
            unknown = [x for x in counts if self.rename_classes.get(x, x) not in new_names]
            if unknown:
                place = next(
                    k for k, own in enumerate(objects) if {x.name for x in own} & {*unknown}
                )
                raise ValueError(
                    f'{self._annotation(ids[place])}: objects of the classes {sorted(unknown)}, '
                    'which are not configured; correct the file, or name the classes of your own '
                    f'data, such as classes={sorted(counts)[:20]}'
                )
            found += [name for name in sorted(counts) if name not in found]
        self.select_classes({name: counts[name] for name in found}, complete=False)

    def _labels(self, objects: list[VocObject], index_of: dict[str, int]) -> dict[str, list]:
        if not self.labelled:
            return dict(
                gt_label=[], areas=[], gt_ignore=[*index_of.values()], gt_label_difficult=[]
            )
        return voc_labels(self._chosen(objects), index_of, self.difficult)

    def _chosen(self, objects: list[VocObject]) -> list[VocObject]:
        """Drop the objects of other classes, and rename the rest."""
        classes, index_of = self._metainfo['classes'], self.index_of
        return [
            replace(item, name=classes[index_of[item.name]])
            for item in objects
            if item.name in index_of
        ]

    def _has_xml(self, image_id: str) -> bool:
        return image_id in self._xml_names or fileio.exists(self._annotation(image_id))

    def _annotation(self, image_id: str) -> str:
        return join_path(self.ann_folder, self._xml_names.get(image_id, f'{image_id}.xml'))

    def _read(self, image_id: str) -> list[VocObject]:
        if not self.labelled or image_id in self._negatives:
            return []
        return read_objects(
            self._annotation(image_id), f'{self.ann_file} lists {image_id}', self.sizes
        )

    def objects_of(self, image_id: str) -> list[VocObject]:
        """Read the objects of an image, under the names of the dataset's classes.

        Raises:
            OSError, ValueError: As :func:`read_objects`.
        """
        return self._chosen(self._read(image_id))
