"""MS COCO, and any data in its instances format, as multi-label classification."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmmsf.registry import DATASETS

from .base import MultiLabelData
from .readers.cache import cached_table, default_cache_dir
from .readers.coco_json import parse_table
from .readers.files import read_content
from .readers.label_items import LabelItems


@DATASETS.register_module()
class CocoMultiLabel(MultiLabelData):
    """Read a COCO instances file; the labels of an image are the categories of its instances.

    A crowd instance gives a label as well, but no size. Classes are the categories in ascending
    id (80 for COCO 2014), or ``classes``: some or all of them in another order. A category without
    any label, such as the name of the project that Roboflow's exports have as category 0, is a
    class unless ``drop_absent=True``. Images keep the order of the file; an image is at
    ``data_prefix`` + its ``file_name``, which may contain folders but not leave ``data_prefix``.
    Without ``file_name`` it is the last folder and the file of its ``coco_url`` (LVIS).

    Where the images have ``neg_category_ids`` (LVIS), the classes of an image that are neither
    annotated nor in that list are unknown: loss and metric ignore them. So they are where a class
    without an annotation is in ``not_exhaustive_category_ids``.

    The labels are cached in ``cache_dir`` under the hash of the file's content, so that later
    starts need not parse it. The cache may be deleted at any time.

    Args:
        ann_file: Instances file, relative to ``data_root``.
        cache_dir: Folder of the cache, shared by all sets and processes; None for no cache. By
            default ``$MMMSF_CACHE_DIR``, else ``mmmsf`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.
            Files of less than 1 MiB are not cached.
        sizes: False to read no boxes and areas, for files where they are not valid. Then there is
            no size-aware AP.
        serialize_data: Has no effect; the labels are kept in a few arrays in any case.
        data_root, data_prefix, filter_cfg, ...: As in ``MultiLabelData``.

    Raises:
        FileNotFoundError: ``ann_file`` does not exist.
        ValueError: ``ann_file`` is not valid (the message names the file and the record), or
            ``classes`` or ``rename_classes`` names a category that it does not have.
    """

    def __init__(
        self, *args: Any, cache_dir: str | None = 'default', sizes: bool = True, **kwargs: Any
    ) -> None:
        self.sizes = sizes
        self.cache_dir = default_cache_dir() if cache_dir == 'default' else cache_dir
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> Sequence[dict]:
        """Read ``ann_file`` into the items that ``MultiLabelData`` describes."""
        path = self.ann_file
        content = read_content(path, 'annotation file', 'check data_root and ann_file')
        table = cached_table(
            content,
            lambda: parse_table(path, content, self.sizes),
            self.cache_dir,
            variant='' if self.sizes else '-no-sizes',
        )
        counts = np.bincount(table.labels, minlength=len(table.classes)).tolist()
        index_of = self.select_classes(dict(zip(table.classes, counts, strict=True)), complete=True)
        self.serialize_data = False  # LabelItems is as packed as MMEngine's pickles, or more
        return LabelItems(table.with_classes(self._metainfo['classes'], index_of), self.img_prefix)
