"""A table of image paths and labels as multi-label classification."""

from collections.abc import Sequence
from typing import Any

from mmengine.fileio import join_path
from mmengine.logging import print_log

from mmmsf.registry import DATASETS

from .base import MultiLabelData
from .class_names import check_classes
from .readers.files import normalize_name
from .readers.label_table import TableLabels, read_table
from .readers.tables.cells import PATTERNS
from .readers.tables.image_files import find_images
from .readers.tables.options import TableOptions


def check_label_names(classes: Sequence[str], split_at: str | None) -> None:
    """Refuse class names that cannot stand in a cell.

    Args:
        classes: Class names.
        split_at: Separator of the labels in a cell; ';|' for both.

    Raises:
        ValueError: A name is empty, contains a separator, or begins or ends with a blank.
    """
    marks = split_at if split_at in PATTERNS else ''
    bad = [
        name
        for name in classes
        if not name or name != name.strip() or any(mark in name for mark in marks)
    ]
    if bad:
        raise ValueError(
            'classes of a table must not be empty, contain the separator of the labels '
            f'({marks!r}), or begin or end with a blank, got {bad}'
        )


@DATASETS.register_module()
class CsvMultiLabel(MultiLabelData):
    """Read the labels of images from a table: CSV, TSV, JSON lines, or a list of indices.

    By default the form is recognised from the column names and from all cells, and said in one
    line of the log. Where two readings are possible, the error shows both and names the argument
    that settles it; ``configs/_base_/datasets/README.md`` lists the forms.

    The first line names the columns. The delimiter is a tab if that line holds one, else a comma.
    A blank cell in a column of labels is an image without a label. Paths are relative to
    ``data_prefix`` and may contain folders but not leave it; where one does not exist as it stands,
    the folder is looked through once for missing suffixes, leading folders that are not there, and
    subfolders. The file is UTF-8. Sizes are unknown, so there is no size-aware AP.

    Args:
        ann_file: Table, relative to ``data_root``.
        path_column: Name of the column of image paths.
        label_columns: Name of the column of labels; or a list of the one-hot columns; or the
            attribute of VIA.
        separator: Mark between the labels in a cell: ``';'``, ``'|'``, ``','`` or ``' '``;
            ``'json'`` for lists, ``'none'`` for one label a cell.
        none_label: Label that means that there is none; ``''`` if there is no such label. By
            default ``'No Finding'`` in a column of labels.
        unknown: Meaning of uncertain cells (-1, blank, ``nan``, ``?`` in one-hot columns; a
            confidence between 0 and 1) and of pairs of image and class that a table with
            confidences or verified classes does not have: ``'ignore'`` (default; neither loss nor
            metric sees them), ``'negative'`` or ``'positive'``.
        names: Class names in the order of their indices, or a file of them: a name a line, an
            index and a name a line, or a CSV of ids and names as in Open Images.
        strip_prefix: Text that all paths begin with and that is not in ``data_prefix``.
        verified_column: Name of a column that lists the classes for which an image was checked,
            written as the labels; the others that are not its labels are unknown.
        classes, metainfo: Class names in the order of their indices; ``classes`` may also be the
            path of a text file with a name a line. By default those of one-hot columns or
            ``names``, else the labels of the file, sorted; name the classes where several files
            must agree, such as those of two splits.
        data_root, data_prefix, filter_cfg, rename_classes, ...: As in ``MultiLabelData``.

    Raises:
        FileNotFoundError: ``ann_file`` does not exist.
        ValueError: ``ann_file`` is not valid or not clear, or an argument does not fit it; names
            the file and the line.
    """

    def __init__(
        self,
        *args: Any,
        path_column: str | None = None,
        label_columns: str | Sequence[str] | None = None,
        separator: str | None = None,
        none_label: str | None = None,
        unknown: str | None = None,
        names: str | Sequence[str] | None = None,
        strip_prefix: str | None = None,
        verified_column: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.table_options = TableOptions(
            path_column,
            label_columns,
            separator,
            none_label,
            unknown,
            names,
            strip_prefix,
            verified_column,
        )
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read ``ann_file`` into the items that ``MultiLabelData`` describes."""
        wanted = self.configured_classes
        if wanted is not None:
            check_classes(wanted)
        table = read_table(
            self.ann_file, self.table_options, [*(wanted or ()), *self.rename_classes]
        )
        if not table.classes and wanted is None:
            raise ValueError(f'{self.ann_file}: there is no label in it, so there is no class')
        new = self.rename_classes.values()
        check_label_names([x for x in wanted or () if x not in new], table.split_at)
        paths, note = find_images([row.path for row in table.rows], self.img_prefix, self.ann_file)
        self._check_distinct(paths, table)
        parts = [table.description, note]
        if not table.complete and wanted is None:
            parts.append(
                'classes are those of its labels, sorted; set classes where files must agree'
            )
        print_log(f'{self.ann_file}: {"; ".join(filter(None, parts))}', logger='current')
        return self._items(paths, table)

    def _check_distinct(self, paths: Sequence[str], table: TableLabels) -> None:
        first_line: dict[str, int] = {}
        for path, row in zip(paths, table.rows, strict=True):
            line = first_line.setdefault(normalize_name(path), row.line)
            if line != row.line:
                raise ValueError(
                    f'{self.ann_file}: line {row.line}: {row.path!r} is the image {path!r} of line '
                    f'{line}; keep one row'
                )

    def _items(self, paths: Sequence[str], table: TableLabels) -> list[dict]:
        """Replace names by indices; a class merged from several is positive if one of them is."""
        index_of = self.select_classes(table.counts(), table.complete)
        items = []
        for path, row in zip(paths, table.rows, strict=True):
            labels = {index_of[name] for name in row.labels if name in index_of}
            unknown = {index_of[name] for name in row.unknown if name in index_of} - labels
            item = dict(img_path=join_path(self.img_prefix, path), gt_label=sorted(labels))
            if unknown:
                item['gt_ignore'] = sorted(unknown)
            items.append(item)
        return items
