"""Tables of image paths and labels (CSV, TSV), read and checked row by row."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .files import check_file_name, normalize_name, read_text

COLUMNS = ('path', 'labels')
LABEL_SEPARATORS = re.compile('[;|]')


class LabelRow(NamedTuple):
    """Line number, image path and labels of one row."""

    line: int
    path: str
    labels: list[str]


def iterate_rows(path: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Split a table into cells, at tabs if its first line holds one, else at commas.

    Blank lines are skipped. A quoted cell may span lines.

    Yields:
        Line number (of the last line of the row) and cells.

    Raises:
        ValueError: The quoting is broken; names the file and the line.
    """
    delimiter = '\t' if '\t' in re.split('[\r\n]', text, maxsplit=1)[0] else ','
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(f'{path}: line {reader.line_num} is not a valid row: {error}') from error


def split_labels(cell: str, where: str) -> list[str]:
    """Split a cell into its labels; a blank cell has none.

    Args:
        cell: Labels separated by ``;`` or ``|``.
        where: Place of the cell; opens the message.

    Raises:
        ValueError: A label is empty or occurs twice.
    """
    if not cell.strip():
        return []
    labels = [label.strip() for label in LABEL_SEPARATORS.split(cell)]
    if '' in labels:
        raise ValueError(f'{where}: a label is empty, got {cell!r}; remove the extra separator')
    if len(set(labels)) < len(labels):
        raise ValueError(f'{where}: a label occurs twice, got {cell!r}; keep one')
    return labels


def _check_header(path: str, header: list[str]) -> None:
    if any(header.count(column) != 1 for column in COLUMNS):
        raise ValueError(
            f'{path}: line 1 must name the columns {list(COLUMNS)} once each, got {header}'
        )


def read_table(path: str) -> list[LabelRow]:
    """Read and check a table of image paths and labels.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: A column is missing, a row has another number of cells than the header, an
            image path is empty, leaves the folder or occurs twice, or a label is empty or occurs
            twice; names the file and the line.
    """
    rows = iterate_rows(path, read_text(path, 'table'))
    _, header = next(rows, (0, []))
    header = [name.strip() for name in header]
    _check_header(path, header)
    columns = [header.index(column) for column in COLUMNS]
    table = []
    first_line: dict[str, int] = {}
    for line, cells in rows:
        where = f'{path}: line {line}'
        if len(cells) != len(header):
            raise ValueError(
                f'{where} has {len(cells)} cells where the header has {len(header)}; '
                'put a path that holds the delimiter in double quotes'
            )
        name, labels = (cells[column].strip() for column in columns)
        if not name:
            raise ValueError(f'{where}: the path is empty')
        check_file_name(name, where)
        key = normalize_name(name)
        if key in first_line:
            raise ValueError(
                f'{where}: the path {name!r} is already in line {first_line[key]}; '
                'keep one row with all labels'
            )
        first_line[key] = line
        table.append(LabelRow(line, name, split_labels(labels, where)))
    return table


def check_label_names(classes: Sequence[str]) -> None:
    """Refuse class names that cannot stand in a cell.

    Raises:
        ValueError: A name is empty, contains a separator, or begins or ends with a blank.
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
