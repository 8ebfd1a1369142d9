"""One-hot columns of a label table, with uncertain cells."""

from collections.abc import Sequence

from .cells import flag_of
from .columns import Layout
from .form import Form, reject
from .options import TableOptions
from .rows import LabelRow
from .text import TextTable


def read_flags(
    table: TextTable, layout: Layout, options: TableOptions, paths: Sequence[str]
) -> Form:
    """Read one-hot columns, whose cells are 1, 0 or uncertain.

    Raises:
        ValueError: A cell is of another kind; names the line and the column.
    """
    form = 'one-hot columns'
    reject(table, layout, options, form, ('separator', 'names', 'verified_column'))
    names = tuple(table.header[k] for k in layout.labels)
    if options.none_label and options.none_label not in names:
        raise ValueError(
            f'{table.path}: none_label must name a one-hot column, got {options.none_label!r}'
        )
    rows = []
    for number, (line, cells, path) in enumerate(zip(table.lines, table.rows, paths, strict=True)):
        by_flag: dict[int, list[str]] = {1: [], 0: [], -1: []}
        for name, k in zip(names, layout.labels, strict=True):
            flag = flag_of(cells[k])
            if flag is None:
                raise ValueError(
                    f'{table.where(number)}: {name!r} must be 1, 0, -1 or blank, got {cells[k]!r}'
                )
            by_flag[flag].append(name)
        rows.append(LabelRow(line, path, by_flag[1], by_flag[-1]))
    return Form(form, rows, options.none_label or '', names)
