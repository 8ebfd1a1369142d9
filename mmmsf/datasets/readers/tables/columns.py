"""Columns of a label table: recognised by their names and all of their cells, or refused."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mmmsf.datasets.readers.image_sets import IMAGE_SUFFIXES

from .cells import flag_of
from .column_names import (
    CHOICE,
    ONE,
    PATHS,
    SEVERAL,
    VERIFIED,
    has_one,
    is_other,
    plain_name,
)
from .options import TableOptions
from .text import TextTable

VIA = ('file_attributes', 'region_attributes')


@dataclass(frozen=True)
class Layout:
    """Hold the columns of a table by index.

    Attributes:
        form: 'list' (a column of labels), 'flags' (one-hot columns) or 'via'.
        path: Column of the image paths.
        labels: Column of labels, one-hot columns, or attribute columns of VIA.
        confidence: Column of 1 and 0 beside one label a row, if any.
        verified: Column of verified classes, if any.
    """

    form: str
    path: int
    labels: tuple[int, ...]
    confidence: int | None = None
    verified: int | None = None


def _named(table: TextTable, *names: re.Pattern[str]) -> list[int]:
    """Return the columns whose name fits one of the patterns."""
    plain = [plain_name(name) for name in table.header]
    return [k for k, name in enumerate(plain) if any(x.fullmatch(name) for x in names)]


def _show(table: TextTable, columns: Sequence[int]) -> str:
    shown = [f'{table.header[k]!r} ({len(set(table.cells(k)))} values)' for k in columns[:20]]
    return ', '.join(shown)


def _refuse_header(table: TextTable) -> None:
    raise ValueError(
        f"{table.path}: line 1 must name the columns (such as 'path' and 'labels', or 'path' and "
        f'the classes above cells of 0 and 1), got {list(table.header)}; set '
        'path_column and label_columns to the names of yours'
    )


def _choose_path(table: TextTable, options: TableOptions, taken: Sequence[int]) -> int:
    if options.path_column is not None:
        return table.place(options.path_column, 'path_column')
    if 'path' in table.header and 'labels' in table.header:
        return table.place('path')
    free = [k for k in range(len(table.header)) if k not in taken]
    images = [
        k
        for k in free
        if table.rows and all(cell.lower().endswith(IMAGE_SUFFIXES) for cell in table.cells(k))
    ]
    found = [k for k in free if k in _named(table, PATHS) or k in images]
    found = found or [k for k in free if plain_name(table.header[k]) == 'id']
    if not found:
        _refuse_header(table)
    if len(found) > 1:
        raise ValueError(
            f'{table.path}: {len(found)} columns may hold the paths of the images, '
            f'{_show(table, found)}; set path_column to one of them'
        )
    return table.place(table.header[found[0]])


def _is_flags(table: TextTable, column: int) -> bool:
    cells = set(table.cells(column))
    return any(cells) and all(flag_of(cell) is not None for cell in cells)


def _refuse(table: TextTable, columns: Sequence[int], problem: str) -> None:
    if columns:
        raise ValueError(
            f'{table.path}: {problem}: {_show(table, columns)}; set label_columns to the name of '
            'the column of labels, or to a list of the one-hot columns'
        )


def _check_list_column(table: TextTable, column: int, others: Sequence[int]) -> None:
    """Refuse a column of labels that may be a class of its own, or stands beside classes."""
    if _is_flags(table, column):
        _refuse(table, [column], "it may hold the labels '0' and '1', or be one class with 0 and 1")
    flags = [
        k
        for k in others
        if _is_flags(table, k)
        and not is_other(table.header[k])
        and any(flag_of(cell) == 1 for cell in table.cells(k))
    ]
    _refuse(
        table, [column, *flags] if flags else [], 'a column of labels stands beside one-hot columns'
    )


def _check_flag_columns(table: TextTable, flags: Sequence[int], others: Sequence[int]) -> None:
    """Refuse one-hot columns that may be no classes, and others that may be classes."""
    strange = [k for k in flags if is_other(table.header[k])]
    _refuse(table, strange, 'these columns of 0 and 1 may be classes or not, by their names')
    rest = [k for k in others if k not in flags]
    _refuse(
        table, [k for k in rest if not any(table.cells(k))], 'these columns are blank in all rows'
    )
    for k in rest:
        cells = table.cells(k)
        wrong = [row for row, cell in enumerate(cells) if flag_of(cell) is None]
        if len(wrong) < sum(flag_of(cell) in (0, 1) for cell in cells):
            cell = cells[wrong[0]]
            problem = f'{table.where(wrong[0])}: {cell!r} is not 0 or 1 as most of its column is'
            _refuse(table, [k], problem.removeprefix(f'{table.path}: '))


def _choose_labels(table: TextTable, others: Sequence[int]) -> tuple[str, tuple[int, ...]]:
    """Choose the form and its columns where ``label_columns`` is not given."""
    known = [k for k in _named(table, ONE, SEVERAL, CHOICE) if k in others]
    _refuse(table, known if len(known) > 1 else [], 'several columns may hold the labels')
    if known:
        _check_list_column(table, known[0], [k for k in others if k not in known])
        return 'list', tuple(known)
    flags = [k for k in others if _is_flags(table, k)]
    if flags:
        _check_flag_columns(table, flags, others)
        return 'flags', tuple(table.place(table.header[k]) for k in flags)
    if len(others) != 1 or others[0] in _named(table, PATHS):
        _refuse_header(table)
    return 'list', tuple(others)


def recognize(table: TextTable, options: TableOptions) -> Layout:
    """Choose the columns of a table by their names and by all of their cells.

    Raises:
        ValueError: A column is missing, or several readings are possible; names the argument
            that settles it.
    """
    if any(name.lower().endswith(IMAGE_SUFFIXES) for name in table.header):
        _refuse_header(table)
    chosen, verified = options.label_columns, options.verified_column
    via = tuple(k for k, name in enumerate(table.header) if name in VIA)
    taken = [table.place(verified, 'verified_column')] if verified is not None else []
    taken = taken or _named(table, VERIFIED)
    if len(taken) > 1:
        raise ValueError(
            f'{table.path}: {len(taken)} columns may hold verified classes, {_show(table, taken)}; '
            'set verified_column to one of them'
        )
    if via:
        return Layout('via', _choose_path(table, options, [*via, *taken]), via)
    if isinstance(chosen, str):
        given = [table.place(chosen, 'label_columns')]
    else:
        given = [table.place(name, 'label_columns') for name in chosen or ()]
    path = _choose_path(table, options, [*given, *taken])
    others = [k for k, name in enumerate(table.header) if name and k != path and k not in taken]
    confidence = next(iter(_named(table, re.compile('confidence'))), None)
    if chosen is not None:
        form, labels = ('list' if isinstance(chosen, str) else 'flags'), tuple(given)
    elif table.header[path] == 'path' and 'labels' in table.header:
        form, labels = 'list', (table.place('labels'),)
    else:
        form, labels = _choose_labels(table, others)
    if path in labels:
        raise ValueError(f'{table.path}: path_column and label_columns both name {chosen!r}')
    if form == 'flags' or not has_one(table.header[labels[0]]):
        confidence = None
    return Layout(form, path, labels, confidence, taken[0] if taken else None)
