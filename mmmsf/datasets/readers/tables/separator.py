"""Separator of the labels in a column: recognised from all of its cells, or refused."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NoReturn

from .cells import PATTERNS

NAMES = {',': 'commas', ' ': 'blanks'}


def _parts(cell: str, separator: str) -> list[str]:
    return [part.strip() for part in re.split(PATTERNS[separator], cell)]


def _connected(alone: set[str], cells: Iterable[Sequence[str]]) -> bool:
    """Tell if every cell shares a part with another, and through others with one of ``alone``."""
    known, left = set(alone), list(cells)
    while left:
        joined = [parts for parts in left if known.intersection(parts)]
        if not joined:
            return False
        known.update(*joined)
        left = [parts for parts in left if not known.intersection(parts)]
    return True


def _recombined(alone: set[str], cells: Sequence[Sequence[str]]) -> bool:
    """Tell if the cells combine few parts in many ways, some with more parts than others."""
    uses = Counter(part for parts in cells for part in set(parts))
    uses.update(alone)
    return (
        len(cells) + len(alone) >= 3 * len(uses)
        and min(uses.values(), default=0) > 1
        and len({len(parts) for parts in cells}) > 1
    )


def is_separator(cells: Collection[str], separator: str) -> bool:
    """Tell if a character surely separates labels rather than being a part of their names.

    It does if in some cell all the parts also stand alone in other cells, and every cell with it
    shares a part with such cells, directly or over others; or if many cells combine few parts.

    Args:
        cells: Distinct cells of the column.
        separator: ',' or ' '.
    """
    split = [parts for parts in (_parts(cell, separator) for cell in cells) if len(parts) > 1]
    alone = set(cells) - {cell for cell in cells if len(_parts(cell, separator)) > 1}
    certain = any(alone.issuperset(parts) for parts in split)
    return (certain and _connected(alone, split)) or _recombined(alone, split)


def _by_vocabulary(cells: Collection[str], separator: str, words: Collection[str]) -> str | None:
    """Choose by names that are known already."""
    split = [cell for cell in cells if len(_parts(cell, separator)) > 1]
    whole = all(cell in words for cell in split)
    apart = all(part in words for cell in split for part in _parts(cell, separator))
    if whole == apart:
        return None
    return 'none' if whole else separator


def _check_lists(cells: Collection[str], where: str) -> None:
    """Refuse cells with separators among cells with lists in brackets."""
    plain = sorted(cell for cell in cells if cell[0] not in '[{')
    doubtful = [cell for cell in plain if re.search('[;|,]', cell)]
    if doubtful:
        raise ValueError(
            f'{where}: some cells are lists in brackets, and {len(doubtful)} such as '
            f"{doubtful[0]!r} hold other separators; set separator, such as 'json' for one label "
            'where there are no brackets'
        )


def _refuse(cells: Collection[str], split: Sequence[str], separator: str, where: str) -> NoReturn:
    """Show the two readings of cells with a separator."""
    classes = {part for cell in cells for part in _parts(cell, separator)}
    raise ValueError(
        f'{where}: {len(split)} different cells such as {split[0]!r} hold {NAMES[separator]}, '
        f'which may separate labels ({len(classes)} classes) or belong to one label a cell '
        f"({len(cells)} classes); set separator={separator!r} or 'none'"
    )


def choose_separator(
    cells: Iterable[str], where: str, several: bool, vocabulary: Collection[str] = ()
) -> str:
    """Recognise the separator of a column of labels.

    Args:
        cells: Cells without blanks around them.
        where: File and column; opens the message.
        several: True if the column's name says that a cell may hold several labels.
        vocabulary: Class names or indices that are known, if any.

    Returns:
        'json' if a cell holds a list, ';|' if one holds a ``;`` or ``|``, ',' or ' ' if these
        surely separate, 'none' if no cell holds any of them.

    Raises:
        ValueError: Two readings are possible; shows both with counts and names ``separator``.
    """
    distinct = {cell for cell in cells if cell}
    if any(cell[0] in '[{' for cell in distinct):
        _check_lists(distinct, where)
        return 'json'
    if any(re.search('[;|]', cell) for cell in distinct):
        return ';|'
    for separator in NAMES:
        split = sorted(cell for cell in distinct if len(_parts(cell, separator)) > 1)
        if not split:
            continue
        chosen = _by_vocabulary(distinct, separator, vocabulary)
        if chosen is None and several and is_separator(distinct, separator):
            chosen = separator
        if chosen is None:
            _refuse(distinct, split, separator, where)
        if chosen == separator:
            return separator
    return 'none'
