"""MS COCO, and any data in its instances format, as multi-label classification."""

from collections.abc import Sequence
from typing import Any

from mmmsf.registry import DATASETS

from .base import MultiLabelData, check_classes
from .readers.cache import cached_table, default_cache_dir
from .readers.coco_json import parse_table
from .readers.files import read_content
from .readers.packed_labels import LabelItems


def match_classes(path: str, found: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    """Choose the order of the classes.

    Args:
        path: Annotation file, for the message.
        found: Its category names in ascending id.
        wanted: The configured names in the wanted order, or None.

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
    """Read a COCO instances file; the labels of an image are the categories of its instances.

    A crowd instance gives a label as well, but no size. Classes are the categories in ascending
    id (80 for COCO 2014), or in the order of ``metainfo=dict(classes=...)``, which must hold the
    same names. Images keep the order of the file; an image is at ``data_prefix`` + its
    ``file_name``, which may contain folders but not leave ``data_prefix``.

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
        ValueError: ``ann_file`` is not valid (the message names the file and the record) or its
            categories are not the configured classes.
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
        classes = match_classes(path, table.classes, self._metainfo.get('classes'))
        self._metainfo['classes'] = tuple(classes)
        self.serialize_data = False  # LabelItems is as packed as MMEngine's pickles, or more
        return LabelItems(table.reordered(classes), self.img_prefix)
