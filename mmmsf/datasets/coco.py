"""MS COCO, and any data in its instances format, as multi-label classification."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

from pycocotools.coco import COCO

from mmmsf.registry import DATASETS

from .base import MultiLabelData, check_classes
from .readers.cache import cached_table, default_cache_dir
from .readers.coco_check import check_annotations, check_categories, check_images, parse_instances
from .readers.coco_json import parse_table
from .readers.packed_labels import LabelItems
from .readers.text import read_content

HINT = 'check data_root and ann_file'


def load_coco(path: str) -> COCO:
    """Read and check a COCO instances file, without pycocotools' prints.

    ``CocoMultiLabel`` does not need its index and is faster without; tests compare the two.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the content is not sound; see ``coco_check``.
    """
    data = parse_instances(path, read_content(path, 'annotation file', HINT))
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
        raise ValueError(
            f'{path}: its categories must be the configured classes; classes missing '
            f'from the file: {missing}; categories of the file that are not '
            f'configured: {surplus}'
        )
    return list(wanted)


@DATASETS.register_module()
class CocoMultiLabel(MultiLabelData):
    """A COCO instances file: an image's labels are the categories of its instances.

    Crowd instances give a label as well, but no size. Classes are the
    categories in ascending id (80 for COCO 2014), or in the order of
    ``metainfo=dict(classes=...)``, which must hold the same names. Images keep
    the file's order; an image is at ``data_prefix`` + its ``file_name``, which
    may contain folders but not leave ``data_prefix``.

    The first start on a file parses it and leaves the labels in ``cache_dir``;
    later ones read them there as long as the file's content is the same. The
    cache may be deleted at any time.

    Args:
        ann_file: the instances file, relative to ``data_root``.
        cache_dir: folder of the cache, shared by all sets and processes; None
            for no cache. By default ``$MMMSF_CACHE_DIR``, else ``mmmsf`` in
            ``$XDG_CACHE_HOME`` or ``~/.cache``. Files of less than 1 MiB are
            not cached.
        serialize_data: has no effect; the items are kept packed in any case.
        data_root, data_prefix, filter_cfg, ...: as in ``MultiLabelData``.

    Raises:
        FileNotFoundError: ``ann_file`` does not exist.
        ValueError: ``ann_file`` is not sound (the message names the file and
            the record) or its categories are not the configured classes.
    """

    def __init__(self, *args: Any, cache_dir: str | None = 'default', **kwargs: Any) -> None:
        self.cache_dir = default_cache_dir() if cache_dir == 'default' else cache_dir
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> Sequence[dict]:
        """Labels of ``ann_file`` as the items that ``MultiLabelData`` describes."""
        path = self.ann_file
        content = read_content(path, 'annotation file', HINT)
        table = cached_table(content, lambda: parse_table(path, content), self.cache_dir)
        classes = match_classes(path, table.classes, self._metainfo.get('classes'))
        self._metainfo['classes'] = tuple(classes)
        self.serialize_data = False  # LabelItems is as packed as MMEngine's pickles, or more
        return LabelItems(table.reordered(classes), self.img_prefix)
