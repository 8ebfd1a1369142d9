"""Tables of image paths and labels (CSV, TSV): rows read and checked."""

import csv
import io
import re
from collections.abc import Iterator, Sequence

from .coco_check import check_file_name, plain_name
from .text import read_text

COLUMNS = ('path', 'labels')
LABEL_SEPARATORS = re.compile('[;|]')


def iterate_rows(path: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row, tab-separated if the first line holds a tab.

    Blank lines are passed over. A quoted cell may span lines; its row counts by
    the last of them.

    Raises:
        ValueError: the quoting is broken; the message names file and line.
    """
    delimiter = '\t' if '\t' in re.split('[\r\n]', text, maxsplit=1)[0] else ','
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(f'{path}: line {reader.line_num} is not a sound row: {error}') from error


def split_labels(cell: str, where: str) -> list[str]:
    """Labels of one cell; a blank cell has none.

    Raises:
        ValueError: a label is empty or occurs twice; ``where`` opens the message.
    """
    if not cell.strip():
        return []
    labels = [label.strip() for label in LABEL_SEPARATORS.split(cell)]
    if '' in labels:
        raise ValueError(f'{where}: a label is empty, got {cell!r}; remove the extra separator')
    if len(set(labels)) < len(labels):
        raise ValueError(f'{where}: a label occurs twice, got {cell!r}; keep one')
    return labels


def read_table(path: str) -> list[tuple[int, str, list[str]]]:
    """Line number, image path and labels of each row.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a column is missing, a row has another number of cells than
            the header, a path is empty, leaves the folder or occurs twice, or
            a label is empty; the message names file and line.
    """
    rows = iterate_rows(path, read_text(path, 'table'))
    _, header = next(rows, (0, []))
    header = [name.strip() for name in header]
    for column in COLUMNS:
        if header.count(column) != 1:
            raise ValueError(
                f'{path}: line 1 must name the columns {list(COLUMNS)} once each, got {header}'
            )
    columns = [header.index(column) for column in COLUMNS]
    table = []
    first_line: dict[str, int] = {}
    for number, cells in rows:
        where = f'{path}: line {number}'
        if len(cells) != len(header):
            raise ValueError(
                f'{where} has {len(cells)} cells where the header has {len(header)}; '
                'put a path that holds the delimiter in double quotes'
            )
        name, labels = (cells[column].strip() for column in columns)
        if not name:
            raise ValueError(f'{where}: the path is empty')
        check_file_name(name, where)
        key = plain_name(name)
        if key in first_line:
            raise ValueError(
                f'{where}: the path {name!r} is already in line {first_line[key]}; '
                'keep one row with all labels'
            )
        first_line[key] = number
        table.append((number, name, split_labels(labels, where)))
    return table


def check_label_names(classes: Sequence[str]) -> None:
    """Refuse class names that no cell can hold.

    Raises:
        ValueError: a name is empty, contains a separator or has outer blanks.
    """
    bad = [
        name
        for name in classes
        if not name or name != name.strip() or LABEL_SEPARATORS.search(name)
    ]
    if bad:
        raise ValueError(
            'classes of a table must not be empty, contain ";" or "|", or begin or '
            f'end with a blank, got {bad}'
        )
