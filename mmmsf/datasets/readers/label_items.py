"""Items of a packed label table, made on access."""

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from mmengine.fileio import join_path

from .packed_labels import LabelTable
from .packing import row_of


class LabelItems(Sequence):
    """Present images of a ``LabelTable`` as the items that ``MultiLabelData`` describes.

    Items are made on access, so only the arrays stay in memory, in pages that forked workers
    share.

    Args:
        table: Labels.
        prefix: Folder of the images.
        rows: Images of the table that are in the list, int64; all by default.
    """

    def __init__(self, table: LabelTable, prefix: str, rows: np.ndarray | None = None) -> None:
        self.table = table
        self.prefix = prefix
        self.rows = np.arange(len(table)) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> 'LabelItems': ...

    def __getitem__(self, index: int | slice) -> 'dict[str, Any] | LabelItems':
        """Return one item, or with a slice a sequence of several."""
        if isinstance(index, slice):
            return LabelItems(self.table, self.prefix, self.rows[index])
        row, table = int(self.rows[index]), self.table
        name = row_of(table.names, table.name_ends, row).tobytes().decode('utf-8', 'surrogatepass')
        item = dict(
            img_path=join_path(self.prefix, name),
            gt_label=row_of(table.labels, table.label_ends, row).tolist(),
            areas=row_of(table.areas, table.label_ends, row).tolist(),
        )
        unknown = table.unknown(row)
        return dict(item, gt_ignore=unknown) if unknown else item

    def select(self, indices: Sequence[int]) -> 'LabelItems':
        """Select the items at ``indices``, negative ones counted from the end.

        Raises:
            IndexError: An index is out of range.
        """
        return LabelItems(self.table, self.prefix, self.rows[np.asarray(indices, dtype=np.int64)])

    def labelled(self) -> 'LabelItems':
        """Select the items that have a label."""
        counts = np.diff(self.table.label_ends, prepend=0)
        return LabelItems(self.table, self.prefix, self.rows[counts[self.rows] > 0])
