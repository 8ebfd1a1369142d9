"""Label tables with a row a label, such as those of Open Images."""

import re
from collections.abc import Sequence

from .cells import flag_of
from .class_names import ClassNames
from .columns import Layout
from .form import Form, reject
from .options import TableOptions
from .rows import LabelRow
from .text import TextTable


def read_pairs(
    table: TextTable,
    layout: Layout,
    options: TableOptions,
    paths: Sequence[str],
    names: ClassNames | None,
    none_label: str,
) -> Form:
    """Read a table with a row a label, with or without a column of confidence.

    Raises:
        ValueError: A label is blank beside a confidence, or is not among ``names``.
    """
    name, certain = table.header[layout.labels[0]], layout.confidence
    form = f'a row a label in {name!r}'
    reject(table, layout, options, form, ('verified_column',))
    if certain is None:
        reject(table, layout, options, form, ('unknown',))
    cells = table.cells(layout.labels[0])
    doubtful = [cell for cell in cells if re.search(r'[;|]|^[\[{]', cell)]
    if doubtful and options.separator is None:
        raise ValueError(
            f'{table.path}: images have several rows, and {len(doubtful)} cells of {name!r} such '
            f"as {doubtful[0]!r} may hold several labels; set separator='none' if each is one label"
        )
    rows = []
    for k, (line, path, cell) in enumerate(zip(table.lines, paths, cells, strict=True)):
        if not cell and certain is not None:
            raise ValueError(f'{table.where(k)}: the label in {name!r} is blank; fill it in')
        label = names.name(cell, table.where(k)) if names and cell not in ('', none_label) else cell
        flag = 1 if certain is None else flag_of(table.rows[k][certain])
        labels = [label] if label and flag == 1 else []
        rows.append(LabelRow(line, path, labels, absent=[label] if flag == 0 else []))
    if certain is not None:
        form += f' with {table.header[certain]!r}'
    return Form(form, rows, none_label, repeats=True, missing=certain is not None)
