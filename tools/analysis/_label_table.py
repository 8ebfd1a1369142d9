"""Label files of a dataset's labels: a table of paths and labels that mmmsf.CsvMultiLabel reads."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmsf.datasets.readers.label_table import read_table
from mmmsf.datasets.readers.tables.options import TableOptions
from mmmsf.utils.atomic_file import write_atomically

SEPARATOR = ';'


def _rows(
    names: Sequence[str], classes: Sequence[str], targets: NDArray[np.signedinteger], one_hot: bool
) -> list[list[str]]:
    if one_hot:
        rows = [[name, *map(str, row)] for name, row in zip(names, targets.tolist(), strict=True)]
        return [['path', *classes], *rows]
    labels = [SEPARATOR.join(classes[k] for k in np.flatnonzero(row == 1)) for row in targets]
    return [['path', 'labels'], *map(list, zip(names, labels, strict=True))]


def write_label_table(
    path: Path, names: Sequence[str], classes: Sequence[str], targets: NDArray[np.signedinteger]
) -> dict[str, Any]:
    """Write labels as a table: a column of labels, or one-hot columns where some are unknown.

    Args:
        path: File to write.
        names: Paths of the N images, relative to their folder.
        classes: Names of the K classes.
        targets: 1 marked, 0 not, -1 unknown; (N, K).

    Returns:
        Arguments of ``mmmsf.CsvMultiLabel`` for the file, without ``data_prefix``.

    Raises:
        FileExistsError: ``path`` exists.
        ValueError: A name cannot stand in a table; the file is not written.
    """
    if path.exists():
        raise FileExistsError(f'{path} exists; name a new file')
    one_hot = bool((targets < 0).any()) or any(SEPARATOR in name for name in classes)
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows(_rows(names, classes, targets, one_hot))
    options: dict[str, Any] = dict(path_column='path')
    if one_hot:
        options.update(label_columns=list(classes), unknown='ignore')
    else:
        options.update(label_columns='labels', separator=SEPARATOR, none_label='')
    partial = path.with_name(f'partial_{path.name}')
    write_atomically(partial, text.getvalue().encode())
    try:
        _check(partial, names, classes, targets, TableOptions(**options))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return dict(ann_file=str(path), classes=list(classes), **options)


def _check(
    path: Path,
    names: Sequence[str],
    classes: Sequence[str],
    targets: NDArray[np.signedinteger],
    options: TableOptions,
) -> None:
    """Read a table again and compare it with the labels."""
    rows = read_table(str(path), options).rows
    place = {name: k for k, name in enumerate(classes)}
    found = np.zeros_like(targets)
    for i, row in enumerate(rows):
        found[i, [place[name] for name in row.labels]] = 1
        found[i, [place[name] for name in row.unknown]] = -1
    if [row.path for row in rows] != list(names) or (found != targets).any():
        raise ValueError(
            'paths and classes must not begin or end with a blank, so that a table can hold them'
        )
