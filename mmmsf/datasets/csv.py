"""A table of image paths and labels as multi-label classification."""

from mmengine.fileio import join_path
from mmengine.logging import print_log

from mmmsf.registry import DATASETS

from .base import MultiLabelData, check_classes
from .readers.label_table import check_label_names, read_table


@DATASETS.register_module()
class CsvMultiLabel(MultiLabelData):
    """Read a CSV or TSV file with a row per image and the columns ``path`` and ``labels``.

    The first line names the columns; others than these two are ignored. The delimiter is a tab if
    the first line holds one, else a comma. Labels are separated by ``;`` or ``|``; a blank cell is
    an image without a label. Paths are relative to ``data_prefix`` and may contain folders but not
    leave it. The file is UTF-8. Sizes are unknown, so there is no size-aware AP.

    Args:
        ann_file: Table, relative to ``data_root``.
        classes, metainfo: Class names in the order of their indices; ``classes`` may also be the
            path of a text file with a name a line. By default the labels of the file, sorted;
            name the classes where several files must agree, such as those of two splits.
        data_root, data_prefix, filter_cfg, ...: As in ``MultiLabelData``.

    Raises:
        FileNotFoundError: ``ann_file`` does not exist.
        ValueError: ``ann_file`` is not valid or has a label that is not configured; names the
            file and the line.
    """

    def load_data_list(self) -> list[dict]:
        """Read ``ann_file`` into the items that ``MultiLabelData`` describes."""
        table = read_table(self.ann_file)
        classes = self._metainfo.get('classes')
        if classes is None:
            classes = sorted({label for _, _, labels in table for label in labels})
            if not classes:
                raise ValueError(f'{self.ann_file}: there is no label in it, so there is no class')
            print_log(
                f'{self.ann_file}: {len(classes)} classes, those of its labels, sorted; set '
                'classes where several files must agree',
                logger='current',
            )
        check_classes(classes)
        check_label_names(classes)
        index_of = {name: k for k, name in enumerate(classes)}
        items = []
        for number, name, labels in table:
            unknown = [label for label in labels if label not in index_of]
            if unknown:
                raise ValueError(
                    f'{self.ann_file}: line {number}: the labels {unknown} are not '
                    'among the configured classes'
                )
            items.append(
                dict(
                    img_path=join_path(self.img_prefix, name),
                    gt_label=sorted(index_of[label] for label in labels),
                )
            )
        self._metainfo['classes'] = tuple(classes)
        return items
