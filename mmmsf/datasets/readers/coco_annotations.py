"""Annotations of a COCO instances file, checked and converted to arrays a column at a time.

There may be a million of them: each rule gives a flag for every record, and the first flagged
record is named in the message.
"""

import itertools
import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

Record = dict[str, Any]


def require(record: Record, key: str, kinds: tuple[type, ...], where: str) -> Any:
    """Return the value of ``key``, whose type must be one of ``kinds``.

    Raises:
        ValueError: The key is missing or its value has another type; begins with ``where``.
    """
    value = record.get(key)
    if type(value) not in kinds:  # a bool is not accepted as an int
        raise ValueError(f'{where} must have a valid "{key}", got {value!r}')
    return value


def _refuse(
    path: str,
    annotations: list[Record],
    flags: Iterable[bool | np.bool_],
    fault: Callable[[Record], str],
) -> None:
    """Raise for the first flagged annotation, if there is one."""
    row = next(itertools.compress(itertools.count(), flags), None)
    if row is not None:
        annotation = annotations[row]
        raise ValueError(f'{path}: annotation {annotation["id"]}: {fault(annotation)}')


def check_ids(path: str, annotations: list[Record]) -> None:
    """Refuse annotations without an ``id``, ``image_id`` or ``category_id``.

    Raises:
        ValueError: Names the file and the number of the entry.
    """
    for key in ('id', 'image_id', 'category_id'):
        kinds = [type(annotation.get(key)) for annotation in annotations]
        if not set(kinds) <= {int, str}:
            row = next(row for row, kind in enumerate(kinds) if kind not in (int, str))
            require(annotations[row], key, (int, str), f'{path}: annotation entry {row}')


def find_owners(
    path: str, annotations: list[Record], kind: str, section: str, owners: list[Record]
) -> NDArray[np.int64]:
    """Find the image or the category of each annotation.

    Args:
        path: File name for the messages.
        annotations: M annotations that have passed :func:`check_ids`.
        kind: 'image' or 'category'.
        section: Name of the section that holds ``owners``.
        owners: Images or categories.

    Returns:
        int64 (M,), positions in ``owners``.

    Raises:
        ValueError: An annotation points nowhere; names the file and the annotation id.
    """
    key = f'{kind}_id'
    index_of = {owner['id']: index for index, owner in enumerate(owners)}
    wanted = (annotation[key] for annotation in annotations)
    found = np.fromiter(map(index_of.get, wanted, itertools.repeat(-1)), np.int64, len(annotations))
    _refuse(
        path,
        annotations,
        found < 0,
        lambda annotation: (
            f'{kind} {annotation[key]} is not listed under "{section}"; '
            'add it there or remove the annotation'
        ),
    )
    return found


def _given(annotation: Record, key: str, default: Any) -> Any:
    """Return an entry that may be missing or null."""
    value = annotation.get(key)
    return default if value is None else value


def _number(value: Any) -> float:
    try:
        return float(value) if type(value) in (int, float) else math.nan
    except OverflowError:  # an integer beyond 1e308
        return math.nan


def _numbers(values: list[Any]) -> NDArray[np.float64]:
    """Convert to float64, NaN for values that are not numbers or beyond its range."""
    if set(map(type, values)) <= {int, float}:
        with suppress(OverflowError):
            return np.array(values, np.float64)
    return np.array([_number(value) for value in values])


def box_areas(path: str, annotations: list[Record]) -> NDArray[np.float64]:
    """Multiply width and height of the boxes.

    A box may begin outside the image, and its width or height may be zero (both occur in COCO),
    but not negative.

    Returns:
        float64 (M,) in square pixels, NaN without a ``bbox``.

    Raises:
        ValueError: Names the file and the annotation id.
    """

    def fault(annotation: Record) -> str:
        return (
            f'bbox must be [x, y, width >= 0, height >= 0] in finite numbers, got '
            f'{annotation["bbox"]!r}; correct or remove the annotation, or set sizes=False'
        )

    absent = [0, 0, 0, 0]
    boxes = [_given(annotation, 'bbox', absent) for annotation in annotations]
    _refuse(path, annotations, (type(box) is not list or len(box) != 4 for box in boxes), fault)
    sides = _numbers(list(itertools.chain.from_iterable(boxes))).reshape(-1, 4)
    with np.errstate(over='ignore'):
        areas = sides[:, 2] * sides[:, 3]
    wrong = ~np.isfinite(sides).all(axis=1) | (sides[:, 2:] < 0).any(axis=1) | ~np.isfinite(areas)
    _refuse(path, annotations, wrong, fault)
    areas[np.array([box is absent for box in boxes], bool)] = np.nan
    return areas


def instance_areas(path: str, annotations: list[Record]) -> NDArray[np.float64]:
    """Collect the areas of the instances: ``area``, else that of ``bbox``; null counts as missing.

    Returns:
        float64 (M,) in square pixels; NaN where neither is given, and for a crowd, which is many
        instances under one outline.

    Raises:
        ValueError: ``area``, ``bbox`` or ``iscrowd`` is out of range; names the file and the
            annotation id.
    """
    crowds = [_given(annotation, 'iscrowd', 0) for annotation in annotations]
    _refuse(
        path,
        annotations,
        (crowd not in (0, 1) for crowd in crowds),
        lambda annotation: f'iscrowd must be 0 or 1, got {annotation["iscrowd"]!r}',
    )
    given = np.array([annotation.get('area') is not None for annotation in annotations], bool)
    areas = _numbers([_given(annotation, 'area', 0) for annotation in annotations])
    _refuse(
        path,
        annotations,
        ~(np.isfinite(areas) & (areas >= 0)),
        lambda annotation: (
            f'area must be a finite number >= 0, got {annotation["area"]!r}; '
            'correct or remove the annotation, or set sizes=False'
        ),
    )
    areas = np.where(given, areas, box_areas(path, annotations))
    areas[np.array(crowds, bool)] = np.nan
    return areas
