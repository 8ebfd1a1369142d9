"""Class names of a table that stands in a file of their own."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmmsf.datasets.readers.files import find_repeated, read_text

from .text import iterate_rows

ID_HEADERS = ('labelname', 'mid', 'id')


@dataclass(frozen=True)
class ClassNames:
    """Hold a complete list of classes and how a table writes them.

    Attributes:
        where: File, or argument, for the messages.
        names: Class names in the order of their indices.
        name_of: Name for each text that may stand in the table: an id, an index or the name.
    """

    where: str
    names: tuple[str, ...]
    name_of: Mapping[str, str]

    def name(self, text: str, where: str) -> str:
        """Return the name of a label.

        Raises:
            ValueError: The label is not in the list; ``where`` is its place.
        """
        if text not in self.name_of:
            raise ValueError(
                f'{where}: the label {text!r} is not among the {len(self.names)} classes of '
                f'names={self.where!r}; add it there'
            )
        return self.name_of[text]


def _check_distinct(where: str, kind: str, names: Sequence[str]) -> None:
    repeated = find_repeated(names)
    if not names or repeated or '' in names:
        raise ValueError(
            f'{where}: names must hold distinct {kind}, got '
            + (f'these more than once: {repeated}' if repeated else f'{list(names)[:20]}')
        )


def read_class_names(names: str | Sequence[str]) -> ClassNames:
    """Read a list of class names.

    Args:
        names: The names, or a file: a name a line, an index and a name a line ('0 person'), or a
            CSV of ids and names as in Open Images.

    Raises:
        OSError: The file cannot be read.
        ValueError: The list is empty or repeats an id or a name; names the file.
    """
    if not isinstance(names, str):
        return _plain('names', list(names))
    remedy = 'names must be a file of class names, or a list of them'
    lines = [line.strip() for line in read_text(names, 'list of names', remedy).splitlines()]
    lines = [line for line in lines if line]
    rows = [cells for _, cells in iterate_rows(names, '\n'.join(lines))] if lines else []
    if lines and all(len(cells) == 2 for cells in rows):
        if rows[0][0].lower() in ID_HEADERS:
            rows = rows[1:]
        ids, titles = [row[0] for row in rows], [row[1] for row in rows]
        _check_distinct(names, 'ids', ids)
        _check_distinct(names, 'names', titles)
        return ClassNames(names, tuple(titles), dict(zip(ids, titles, strict=True)))
    numbered = [re.fullmatch(r'(\d+)\s+(\S.*)', line) for line in lines]
    if [match and int(match[1]) for match in numbered] == list(range(len(lines))):
        lines = [match[2] for match in numbered if match]
    return _plain(names, lines)


def _plain(where: str, names: list[str]) -> ClassNames:
    _check_distinct(where, 'names', names)
    name_of = {name: name for name in names}
    if not any(name.isdigit() for name in names):
        name_of.update({str(k): name for k, name in enumerate(names)})
    return ClassNames(where, tuple(names), name_of)


def names_of_numbers(
    rows: Sequence[Sequence[str]], names: ClassNames, where: str
) -> list[list[str]]:
    """Replace vectors of 0 and 1 by the names of their classes.

    Args:
        rows: Numbers of each image, as text.
        names: Class list.
        where: Table, to open the message.

    Returns:
        Names of each row if all rows are vectors, a number a class; else the rows as they are,
        indices from 0.

    Raises:
        ValueError: The rows may be vectors or indices.
    """
    num_classes = len(names.names)
    filled = [row for row in rows if row]
    flags = all(len(row) == num_classes and {'0', '1'}.issuperset(row) for row in filled)
    if not flags or not filled:
        return [list(row) for row in rows]
    distinct = all(len(set(row)) == num_classes for row in filled)
    if distinct and (num_classes > 1 or all(row == ['0'] for row in filled)):
        raise ValueError(
            f'{where}: rows such as {",".join(filled[0])!r} may be flags, one a class, or indices '
            f"of {num_classes} classes; set separator=',' for indices, or write the names of the "
            'classes for flags'
        )
    return [
        [name for name, number in zip(names.names, row, strict=False) if number == '1']
        for row in rows
    ]
