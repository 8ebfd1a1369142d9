"""Rows of a label table: images that are named again, labels that mean none, unknown pairs."""

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from mmmsf.datasets.readers.files import normalize_name


class LabelRow(NamedTuple):
    """Line number and path of an image, its labels, and the classes that are unknown or denied.

    ``absent`` matters only where a class that is not named is unknown.
    """

    line: int
    path: str
    labels: list[str]
    unknown: list[str] = []
    absent: list[str] = []


def merge_images(path: str, rows: Iterable[LabelRow], repeats: bool) -> list[LabelRow]:
    """Join the rows of each image.

    Args:
        path: Table, for the messages.
        rows: Rows of the table.
        repeats: True if an image may have several rows.

    Raises:
        ValueError: An image is there twice without ``repeats``, or its rows contradict each other.
    """
    merged: dict[str, LabelRow] = {}
    for row in rows:
        key = normalize_name(row.path)
        first = merged.setdefault(key, row)
        if first is row:
            continue
        where = f'{path}: line {row.line}'
        if not repeats:
            raise ValueError(
                f'{where}: the path {row.path!r} is already in line {first.line}; keep one row '
                "with all labels, or set separator='none' for a table with a row a label"
            )
        clash = {*first.labels, *row.labels} & {*first.absent, *row.absent}
        if clash:
            raise ValueError(
                f'{where}: {row.path!r} has and lacks the labels {sorted(clash)}; keep one of the '
                f'rows, see line {first.line}'
            )
        merged[key] = first._replace(
            labels=[*first.labels, *row.labels], absent=[*first.absent, *row.absent]
        )
    if not repeats:
        return list(merged.values())
    return [row._replace(labels=list(dict.fromkeys(row.labels))) for row in merged.values()]


def drop_repeated(rows: Sequence[LabelRow]) -> tuple[list[LabelRow], str]:
    """Keep each label of a row once, and each of several equal rows of an image once.

    Returns:
        Rows, and a text that counts the rows with a repetition, '' for none.
    """
    kept: list[LabelRow] = []
    seen: set[tuple[Hashable, ...]] = set()
    labels: list[str] = []  # repetitions
    copies: list[str] = []
    for row in rows:
        new = row._replace(labels=list(dict.fromkeys(row.labels)))
        if len(new.labels) < len(row.labels):
            name = next(name for name in row.labels if row.labels.count(name) > 1)
            labels.append(f'{name!r} in line {row.line}')
        parts = (new.labels, new.unknown, new.absent)
        key: tuple[Hashable, ...] = (normalize_name(row.path), *map(frozenset, parts))
        if key in seen:
            copies.append(f'{row.path!r} in line {row.line}')
            continue
        seen.add(key)
        kept.append(new)
    notes = [
        f'{what} counts once, in {len(found)} rows, first {found[0]}'
        for what, found in (
            ('a label that is repeated in a row', labels),
            ('a row that is repeated', copies),
        )
        if found
    ]
    return kept, '; '.join(notes)


def clear_none(path: str, rows: Sequence[LabelRow], none_label: str) -> tuple[list[LabelRow], int]:
    """Take out the label that stands for no label.

    Returns:
        Rows without it, and the number of images that had it. Those have no unknown class.

    Raises:
        ValueError: It stands beside other labels.
    """
    cleared, count = [], 0
    for row in rows:
        if none_label in row.labels:
            others = [label for label in row.labels if label != none_label]
            if others:
                raise ValueError(
                    f'{path}: line {row.line}: {none_label!r} stands for no label, but beside it '
                    f"are {others}; correct the row, or set none_label='' if it is a class"
                )
            row, count = row._replace(labels=[], unknown=[]), count + 1
        elif none_label in row.unknown:
            row = row._replace(unknown=[x for x in row.unknown if x != none_label])
        cleared.append(row)
    return cleared, count


def fill_unknown(
    rows: Sequence[LabelRow], classes: Sequence[str], none_label: str
) -> list[LabelRow]:
    """Add the pairs of image and class that a table does not have to the unknown ones."""
    filled = []
    for row in rows:
        said = {*row.labels, *row.absent}
        unknown = [] if none_label in row.labels else [name for name in classes if name not in said]
        filled.append(row._replace(unknown=unknown))
    return filled


def settle_unknown(
    path: str, rows: Sequence[LabelRow], num_classes: int, unknown: str | None
) -> list[LabelRow]:
    """Apply the argument ``unknown``.

    Raises:
        ValueError: ``unknown`` is None, and nothing in the table is negative.
    """
    count = sum(len(row.unknown) for row in rows)
    negative = any(len(row.labels) + len(row.unknown) < num_classes for row in rows)
    if unknown is None and count and not negative:
        raise ValueError(
            f'{path}: nothing is 0, so the {count} cells or pairs that are blank, -1 or missing '
            "may be negative or uncertain; set unknown='negative' or 'ignore'"
        )
    if unknown == 'positive':
        rows = [row._replace(labels=[*row.labels, *row.unknown]) for row in rows]
    if unknown in ('positive', 'negative'):
        rows = [row._replace(unknown=[]) for row in rows]
    return list(rows)
