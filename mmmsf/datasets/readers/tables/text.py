"""Text of a label table split into cells: CSV, TSV, JSON lines, and lists of indices."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mmmsf.datasets.readers.files import read_text
from mmmsf.datasets.readers.image_sets import IMAGE_SUFFIXES

# A line such as "a.jpg<TAB>0,1,0": PaddleClas writes them without a header.
INDEX_LINE = re.compile(
    r'(?P<path>[^\t]*(?:' + '|'.join(map(re.escape, IMAGE_SUFFIXES)) + r'))[\t ]+'
    r'(?P<labels>\d+(?:,\d+)*)\s*',
    re.IGNORECASE,
)


@dataclass(frozen=True)
class TextTable:
    """Hold the cells of a table as text, without blanks around them.

    Attributes:
        path: File, for the messages.
        header: Names of the columns.
        lines: Line number of each row.
        rows: Cells of each row, as many as the header has.
        index_list: True for a list of paths and indices, which has no header of its own.
    """

    path: str
    header: tuple[str, ...]
    lines: list[int]
    rows: list[list[str]]
    index_list: bool = False

    def place(self, name: str, argument: str = '') -> int:
        """Return the index of a column.

        Raises:
            ValueError: The header does not have the name once; ``argument`` is named if set.
        """
        if self.header.count(name) != 1:
            asked = f'{argument} must name a column, got {name!r}, but ' if argument else ''
            raise ValueError(
                f'{self.path}: {asked}line 1 must name the columns {[name]} once each, '
                f'got {list(self.header)}'
            )
        return self.header.index(name)

    def cells(self, place: int) -> list[str]:
        """Return the cells of a column."""
        return [row[place] for row in self.rows]

    def where(self, row: int) -> str:
        """Return the place of a row, to open a message."""
        return f'{self.path}: line {self.lines[row]}'


def delimiter_of(text: str) -> str:
    """Return the delimiter of a table: a tab if its first line holds one, else a comma."""
    return '\t' if '\t' in re.split('[\r\n]', text, maxsplit=1)[0] else ','


def iterate_rows(path: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Split a table into cells, at tabs if its first line holds one, else at commas.

    Blank lines are skipped. A quoted cell may span lines.

    Yields:
        Line number (of the last line of the row) and cells.

    Raises:
        ValueError: The quoting is broken; names the file and the line.
    """
    source = io.StringIO(text, newline='')
    reader = csv.reader(source, delimiter=delimiter_of(text), strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise ValueError(f'{path}: line {reader.line_num} is not a valid row: {error}') from error


def _delimited(path: str, text: str) -> TextTable:
    rows = iterate_rows(path, text)
    _, header = next(rows, (0, []))
    lines, table = [], []
    for line, cells in rows:
        if len(cells) != len(header):
            raise ValueError(
                f'{path}: line {line} has {len(cells)} cells where the header has {len(header)}; '
                'put a cell that holds the delimiter in double quotes'
            )
        lines.append(line)
        table.append(cells)
    return TextTable(path, tuple(header), lines, table)


def _index_list(path: str, text: str) -> TextTable:
    lines, rows = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        match = INDEX_LINE.fullmatch(line)
        if match is None:
            raise ValueError(
                f'{path}: line {number} must hold a path, a tab and indices such as "0,1,0", as '
                f'the first line does, got {line!r}'
            )
        lines.append(number)
        rows.append([match['path'].strip(), match['labels']])
    return TextTable(path, ('path', 'labels'), lines, rows, index_list=True)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError('a key occurs twice')
    return record


def parse_json(text: str, where: str) -> Any:
    """Parse JSON text.

    Raises:
        ValueError: The text is not JSON, is nested too deep or repeats a key.
    """
    try:
        return json.loads(text, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{where} is not valid JSON ({error}), got {text[:80]!r}') from error


def _cell(value: Any) -> str:
    """Write a JSON value as the text of a cell."""
    if value is None:
        return ''
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _json_lines(path: str, text: str) -> TextTable:
    records = []
    for number, line in enumerate(text.split('\n'), 1):
        if line.strip():
            record = parse_json(line, f'{path}: line {number}')
            if not isinstance(record, dict):
                raise ValueError(f'{path}: line {number} must be a JSON object, got {line[:80]!r}')
            records.append((number, {key.strip(): value for key, value in record.items()}))
    header = tuple(dict.fromkeys(key for _, record in records for key in record))
    rows = [[_cell(record.get(key)) for key in header] for _, record in records]
    return TextTable(path, header, [number for number, _ in records], rows)


def load_text_table(path: str) -> TextTable:
    """Read a table: JSON lines by its suffix ``.jsonl``, else CSV, TSV or a list of indices.

    Raises:
        OSError, FileNotFoundError: As for ``read_text``.
        ValueError: The text is not such a table; names the file and the line.
    """
    text = read_text(path, 'table')
    if path.lower().endswith('.jsonl'):
        return _json_lines(path, text)
    first = next((line for line in text.splitlines() if line.strip()), '')
    return _index_list(path, text) if INDEX_LINE.fullmatch(first) else _delimited(path, text)
