"""Cells of a label table: flags such as 0 and 1.0, and labels in one cell."""

import ast
import re
from typing import Any

from .text import parse_json

# 1 positive, 0 negative, -1 uncertain. Compared in lower case.
FLAGS = {
    **dict.fromkeys(('1', '1.0', 'true'), 1),
    **dict.fromkeys(('0', '0.0', 'false'), 0),
    **dict.fromkeys(('-1', '-1.0', '', 'nan', '?'), -1),
}
# Name of a separator -> pattern. 'none' and 'json' are forms of the cell.
PATTERNS = {';': ';', '|': r'\|', ',': ',', ' ': r'\s+', ';|': '[;|]'}
SEPARATORS = (';', '|', ',', ' ', 'json', 'none')
SEPARATED = {
    ';': "labels separated by ';'",
    '|': "labels separated by '|'",
    ';|': "labels separated by ';' or '|'",
    ',': 'labels separated by commas',
    ' ': 'labels separated by blanks',
    'json': 'lists of labels',
    'none': 'one label a cell',
}
_ITEM = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\d+)"""
PYTHON_LIST = re.compile(rf'\[\s*(?:{_ITEM}\s*(?:,\s*{_ITEM}\s*)*,?\s*)?\]')


def flag_of(cell: str) -> int | None:
    """Return 1, 0 or -1 (uncertain) for a cell of a one-hot column, None for any other text."""
    return FLAGS.get(cell.lower())


def labels_of_value(value: Any, where: str) -> list[str]:
    """Return the labels in a JSON value: text, a list, ``{"choices": [...]}`` or flags by name.

    Raises:
        ValueError: The value is of another form.
    """
    if isinstance(value, dict) and set(value) == {'choices'}:
        value = value['choices']
    if isinstance(value, dict) and all(flag in (0, 1) for flag in map(_number, value.values())):
        return [name.strip() for name, flag in value.items() if _number(flag)]
    if isinstance(value, str | int) and not isinstance(value, bool):
        value = [value]
    if isinstance(value, list) and all(type(label) in (str, int) for label in value):
        return [str(label).strip() for label in value]
    raise ValueError(f'{where}: labels must be a list of names, got {str(value)[:80]!r}')


def _number(flag: Any) -> int:
    return -1 if isinstance(flag, dict | list) else FLAGS.get(str(flag).lower(), -1)


def _listed(cell: str, where: str) -> list[str]:
    """Return the labels of a JSON or Python list, or of a cell that is one label."""
    if cell[0] not in '[{':
        return [cell]
    try:
        value = parse_json(cell, where)
    except ValueError as error:
        if not PYTHON_LIST.fullmatch(cell):
            raise ValueError(f"{error}; set separator='none' if it is no list") from error
        value = _python_list(cell, where)
    return labels_of_value(value, where)


def _python_list(cell: str, where: str) -> list[Any]:
    """Evaluate the items one by one: Python would join two strings without a comma."""
    try:
        return [ast.literal_eval(item) for item in re.findall(_ITEM, cell)]
    except (SyntaxError, ValueError) as error:
        raise ValueError(f'{where} is not a valid list ({error}), got {cell[:80]!r}') from error


def split_cell(cell: str, separator: str, where: str) -> list[str]:
    """Split a cell into its labels; a blank cell has none.

    Args:
        cell: Text without blanks around it.
        separator: Key of ``PATTERNS``, 'json' (a list, or one label) or 'none' (one label).
        where: Place of the cell; opens the message.

    Raises:
        ValueError: A label is empty, or a list is not valid.
    """
    if not cell:
        return []
    if separator == 'json':
        labels = _listed(cell, where)
    elif separator == 'none':
        labels = [cell]
    else:
        labels = [label.strip() for label in re.split(PATTERNS[separator], cell)]
    if '' in labels:
        raise ValueError(f'{where}: a label is empty, got {cell!r}; remove the extra separator')
    return labels
