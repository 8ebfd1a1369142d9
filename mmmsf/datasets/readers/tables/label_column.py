"""A column of a label table whose cells hold the labels of an image."""

import re
from collections.abc import Sequence

from mmmsf.datasets.readers.files import normalize_name

from .cells import SEPARATED, split_cell
from .class_names import ClassNames, names_of_numbers
from .column_names import has_one, has_several
from .columns import Layout
from .form import Form, reject
from .options import TableOptions
from .pairs import read_pairs
from .rows import LabelRow
from .separator import choose_separator
from .text import TextTable

NO_LABEL = 'No Finding'
NUMBERS = re.compile(r'\[?\s*\d+(?:(?:\s*[,;|]\s*|\s+)\d+)*\s*\]?')


def _numbers(cells: Sequence[str], names: ClassNames | None) -> list[list[str]] | None:
    """Split cells that hold numbers only and stand for the classes of a list."""
    if names is None or '0' not in names.name_of or not any(cells):
        return None
    if not all(NUMBERS.fullmatch(cell) for cell in cells if cell):
        return None
    return [re.findall(r'\d+', cell) for cell in cells]


def _none_label(options: TableOptions, names: ClassNames | None, vocabulary: Sequence[str]) -> str:
    """Return the label that stands for no label, '' for none."""
    if options.none_label is not None:
        return options.none_label
    return '' if NO_LABEL in (*(names.names if names else ()), *vocabulary) else NO_LABEL


def _label_rows(
    table: TextTable,
    paths: Sequence[str],
    rows: Sequence[Sequence[str]],
    verified: Sequence[Sequence[str]] | None,
    names: ClassNames | None,
    none_label: str,
) -> list[LabelRow]:
    """Name the labels of each row by the class list, if there is one."""

    def named(labels: Sequence[str], where: str) -> list[str]:
        if names is None:
            return list(labels)
        return [x if x == none_label else names.name(x, where) for x in labels]

    return [
        LabelRow(
            table.lines[k],
            path,
            named(labels, table.where(k)),
            absent=named(verified[k], table.where(k)) if verified else [],
        )
        for k, (path, labels) in enumerate(zip(paths, rows, strict=True))
    ]


def _split(
    table: TextTable,
    name: str,
    cells: Sequence[str],
    options: TableOptions,
    names: ClassNames | None,
    none_label: str,
    vocabulary: Sequence[str],
) -> tuple[list[list[str]], str, str | None]:
    """Split the cells; return their labels, a description and the separator."""
    numbers = _numbers(cells, names) if options.separator is None else None
    if numbers is not None and names is not None:
        return names_of_numbers(numbers, names, table.path), 'numbers of classes', None
    split_at = options.separator or choose_separator(
        (cell for cell in cells if cell != none_label),
        f'{table.path}: column {name!r}',
        has_several(name),
        names.name_of if names else vocabulary,
    )
    rows = [
        [cell]
        if cell and cell == none_label
        else split_cell(cell, split_at, table.where(k % len(table.rows)))
        for k, cell in enumerate(cells)
    ]
    return rows, SEPARATED[split_at], split_at


def read_column(
    table: TextTable,
    layout: Layout,
    options: TableOptions,
    paths: Sequence[str],
    names: ClassNames | None,
    vocabulary: Sequence[str],
) -> Form:
    """Read a column of labels.

    Raises:
        ValueError: A cell or its separator is not clear, or a label is not among ``names``.
    """
    verified, name = layout.verified, table.header[layout.labels[0]]
    cells = table.cells(layout.labels[0])
    if table.index_list and names is None:
        raise ValueError(f'{table.path}: the labels are numbers; set names to the class names')
    none_label = _none_label(options, names, vocabulary)
    repeated = len({normalize_name(path) for path in paths}) < len(paths)
    one = options.separator == 'none' or (has_one(name) and options.separator is None)
    if one and (repeated or layout.confidence is not None):
        return read_pairs(table, layout, options, paths, names, none_label)
    if layout.confidence is not None:
        reject(table, layout, options, 'a row a label with a confidence', ('separator',))
    if verified is None:
        reject(table, layout, options, f'a column of labels ({name!r})', ('unknown',))
    checks = table.cells(verified) if verified is not None else []
    rows, text, split_at = _split(
        table, name, [*cells, *checks], options, names, none_label, vocabulary
    )
    checked = rows[len(cells) :] if verified is not None else None
    return Form(
        f'{text} in {name!r}',
        _label_rows(table, paths, rows[: len(cells)], checked, names, none_label),
        none_label,
        missing=verified is not None,
        split_at=split_at,
    )
