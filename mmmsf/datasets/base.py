"""Base of the multi-label datasets."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from mmengine.dataset import Compose
from mmengine.logging import print_log
from mmpretrain.datasets import BaseDataset

from mmmsf.utils.groups import name_groups, parse_groups

from .class_groups import check_group_labels, image_targets
from .class_names import check_classes, read_classes
from .class_selection import select_classes
from .image_selection import check_filter_cfg, read_indices
from .readers.image_cache import CachedImages, cached_images, leading_steps
from .readers.label_items import LabelItems
from .targets import area_vector, score_vector


class MultiLabelData(BaseDataset):
    """Serve as base of the datasets whose images carry a set of labels.

    A subclass implements ``load_data_list``, which also sets ``metainfo['classes']`` unless that
    is configured. Its items are small dicts, because MMEngine keeps all of them in memory:

    - ``img_path``: Path of the image.
    - ``gt_label``: Sorted list of the positive class indices.
    - ``gt_ignore`` (optional): Class indices that are neither positive nor negative.
    - ``areas`` (optional): Parallel to ``gt_label``, the area in square pixels of the largest
      instance of the class in the original image, NaN if unknown.

    Args:
        filter_cfg: ``dict(filter_empty=True)`` drops the images without a label; by default they
            stay as all-negative rows.
        max_refetch: Number of other images that may replace one whose pipeline returned None. The
            default 0 replaces nothing: it raises.
        image_cache: Store of the images after the pipeline's first steps (its loader and the
            resizes and crops of a fixed size that follow), computed at the start and then shared
            by epochs and workers: ``'memory'``, or a folder, whose files other processes and later
            runs share as well. None decodes an image each time. The pixels are the same. A file in
            the folder is found by the content of the images, all of which is read at the start.
        rename_classes: New names of some classes of the annotations; those with the same new name
            are merged.
        drop_absent: If True, leave out the classes of the annotations without any label; only
            where ``classes`` are not given.
        groups: Classes that exclude each other, such as
            ``[dict(name='colour', classes=['red', 'green'], rule='one')]``: of each group exactly
            one class holds, or with the rule ``'at_most_one'`` at most one. The labels are checked,
            and the groups kept in ``metainfo['groups']``. The model must have the same groups:
            ``mmmsf.GroupedClassifier``.
        indices: Images to keep, as in MMPretrain's ``BaseDataset``, or a text file of them: an
            index a line, from 0, of the images that ``filter_cfg`` leaves.
        classes, metainfo, pipeline, ...: As in MMPretrain's ``BaseDataset``. Where
            ``classes`` are a part of the annotations' (after renaming), the labels of the others
            are dropped, counted and named in the log.

    Raises:
        OSError: ``classes`` or ``indices`` names a file that does not exist or cannot be read.
        ValueError: ``filter_cfg`` has an unknown key, classes repeat, a file of indices is not
            valid, no image is left, or labels break the rule of a group.
    """

    def __init__(
        self,
        *args: Any,
        filter_cfg: dict | None = None,
        max_refetch: int = 0,
        image_cache: str | None = None,
        rename_classes: Mapping[str, str] | None = None,
        drop_absent: bool = False,
        groups: Sequence[Mapping[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        self.groups = groups
        self.rename_classes = dict(rename_classes or {})
        self.drop_absent = drop_absent
        self.image_cache = image_cache
        self._images: CachedImages | None = None
        check_filter_cfg(filter_cfg)
        metainfo = kwargs.get('metainfo') or {}
        for options in (kwargs, metainfo):
            if isinstance(options.get('classes'), str):
                names = read_classes(os.path.expanduser(options['classes']))
                kwargs['metainfo'] = {**metainfo, 'classes': names}
                kwargs.pop('classes', None)
        if isinstance(kwargs.get('indices'), str):
            kwargs['indices'] = read_indices(os.path.expanduser(kwargs['indices']))
        # METAINFO of a subclass is a default, which the annotations may contradict
        self.configured_classes = kwargs.get('classes')
        if self.configured_classes is None:
            self.configured_classes = (kwargs.get('metainfo') or {}).get('classes')
        super().__init__(*args, filter_cfg=filter_cfg, max_refetch=max_refetch, **kwargs)

    def full_init(self) -> None:
        """Load, filter and pack the annotations, once."""
        if self._fully_initialized:
            return
        super().full_init()
        check_classes(self._metainfo['classes'])
        self._metainfo['classes'] = tuple(self._metainfo['classes'])
        if self.image_cache is not None:
            self._load_images(self.image_cache)

    def _load_images(self, where: str) -> None:
        steps = leading_steps(self.pipeline.transforms)
        paths = [self.get_data_info(i)['img_path'] for i in range(len(self))]
        self._images = cached_images(paths, steps, where)
        self._place_of = {path: place for place, path in enumerate(paths)}
        self._later_steps = Compose(self.pipeline.transforms[len(steps) :])

    def select_classes(self, counts: Mapping[str, int], complete: bool) -> Mapping[str, int]:
        """Set ``metainfo['classes']`` from the classes of the annotations, and log what is dropped.

        The result is also kept as ``index_of``.

        Args:
            counts: Number of labels of each name of the annotations, in the order of its index.
            complete: True for annotations that list their classes.

        Returns:
            Index of each name; names that are dropped are absent.

        Raises:
            ValueError: As :func:`~mmmsf.datasets.class_selection.select_classes`.
        """
        wanted = self.configured_classes
        if wanted is not None:
            check_classes(wanted)
        chosen = select_classes(
            self.ann_file, counts, wanted, self.rename_classes, self.drop_absent, complete
        )
        if chosen.message:
            print_log(chosen.message, logger='current')
        self._metainfo['classes'] = chosen.classes
        self.index_of = chosen.index_of
        return chosen.index_of

    def filter_data(self) -> Sequence[dict]:
        """Apply ``filter_cfg``, log what it dropped, and refuse an empty result."""
        total = len(self.data_list)
        kept = self.data_list
        if (self.filter_cfg or {}).get('filter_empty', False):
            kept = (
                kept.labelled()
                if isinstance(kept, LabelItems)
                else [item for item in kept if item['gt_label']]
            )
            print_log(
                f'{self.ann_file}: filter_empty dropped {total - len(kept)} of {total} images, '
                'those without a label',
                logger='current',
            )
        if not kept:
            raise ValueError(
                f'{self.ann_file}: no image is left of {total} with filter_cfg={self.filter_cfg}'
            )
        if self._indices is not None and self._indices in (0, [], ()):
            raise ValueError(f'indices must select at least one image, got {self._indices}')
        if self.groups or self._metainfo.get('groups'):
            self._check_groups(kept)
        return kept

    def _check_groups(self, items: Sequence[dict]) -> None:
        """Check the labels against the groups, log their counts, and set ``metainfo['groups']``."""
        classes = self._metainfo['classes']
        wanted = self.groups or self._metainfo['groups']
        groups = parse_groups(wanted, classes, f'{self.ann_file}: `groups`')
        targets = image_targets(items, partial(score_vector, len(classes)))
        message = check_group_labels(self.ann_file, targets, groups, classes)
        print_log(message, logger='current')
        self._metainfo['groups'] = name_groups(groups, classes)

    def _get_unserialized_subset(self, indices: int | Sequence[int]) -> Sequence[dict]:
        if isinstance(self.data_list, LabelItems) and isinstance(indices, Sequence):
            return self.data_list.select(indices)
        return super()._get_unserialized_subset(indices)

    def get_data_info(self, idx: int) -> dict:
        """Return the annotation of one image.

        Returns:
            The item of the class docstring with ``sample_idx``, ``gt_score`` (float32 (K,): 1, 0
            or -1 = ignored) and ``gt_area`` (float32 (K,) in square pixels of the original image,
            NaN where unknown).
        """
        info = super().get_data_info(idx)
        num_classes = len(self._metainfo['classes'])
        info['gt_score'] = score_vector(num_classes, info['gt_label'], info.get('gt_ignore', ()))
        info['gt_area'] = area_vector(num_classes, info['gt_label'], info.pop('areas', ()))
        return info

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on one image.

        Raises:
            RuntimeError: The pipeline returned None and ``max_refetch`` allows no other image in
                its place.
        """
        info = self.get_data_info(idx)
        path = info['img_path']
        if self._images is None:
            data = self.pipeline(info)
        else:
            data = self._later_steps({**info, **self._images[self._place_of[path]]})
        if data is None and (self.test_mode or self.max_refetch == 0):
            raise RuntimeError(
                f'the pipeline returned None for {path} (sample {idx}); repair '
                'the file or the transform, or set max_refetch to allow another image'
            )
        return data

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the positive class indices of one image, for class-balanced sampling."""
        return super().get_data_info(idx)['gt_label']

    def get_gt_labels(self) -> np.ndarray:
        """Collect the targets of all images, float32 (N, K) of 1, 0 and -1."""
        labels = np.empty((len(self), len(self._metainfo['classes'])), np.float32)
        for i in range(len(self)):
            labels[i] = self.get_data_info(i)['gt_score']
        return labels

    def label_counts(self) -> np.ndarray:
        """Count the images in which each class is positive, int64 (K,)."""
        labels = [label for i in range(len(self)) for label in self.get_cat_ids(i)]
        num_classes = len(self._metainfo['classes'])
        return np.bincount(np.asarray(labels, dtype=np.int64), minlength=num_classes)
