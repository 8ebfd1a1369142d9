"""A split into train and val: lists of a VOC folder, or two files in the form of the source."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _check import SplitLabels

from mmmsf.datasets.readers.files import normalize_name, read_text
from mmmsf.datasets.readers.tables.columns import recognize
from mmmsf.datasets.readers.tables.options import TableOptions
from mmmsf.datasets.readers.tables.text import TextTable, delimiter_of, load_text_table
from mmmsf.datasets.stratification import stratified_split
from mmmsf.datasets.voc_split import SIDES

from .files import write_new

SEED = 0


def _row_texts(table: TextTable) -> tuple[str, dict[int, str]]:
    """Return the header, if any, and the text of each row by the number of its last line."""
    text = read_text(table.path, 'table')
    if table.index_list or table.path.lower().endswith('.jsonl'):
        lines = text.splitlines() if table.index_list else text.split('\n')
        return '', dict(enumerate(lines, 1))
    lines = list(io.StringIO(text, newline=''))
    reader = csv.reader(iter(lines), delimiter=delimiter_of(text), strict=True)
    texts, start = {}, 0
    for cells in reader:
        if cells:
            texts[reader.line_num] = ''.join(lines[start : reader.line_num])
        start = reader.line_num
    return texts.pop(min(texts)), texts


def table_parts(path: Path, options: dict[str, Any], held: Sequence[bool]) -> dict[str, str]:
    """Divide a table; all rows of an image stay together, with all columns.

    Args:
        path: Table.
        options: Arguments of the dataset that fix the reading.
        held: True for each image that goes to val, in the order of their first rows.

    Returns:
        Text of each side.
    """
    known = {key: options[key] for key in TableOptions.__dataclass_fields__ if key in options}
    table = load_text_table(str(path))
    cells = table.cells(recognize(table, TableOptions(**known)).path)
    header, texts = _row_texts(table)
    place: dict[str, int] = {}
    parts = {side: [header] for side in SIDES}
    for cell, line in zip(cells, table.lines, strict=True):
        image = place.setdefault(normalize_name(cell), len(place))
        text = texts[line]
        parts[SIDES[held[image]]].append(text if text.endswith(('\n', '\r')) else text + '\n')
    assert len(place) == len(held)
    return {side: ''.join(rows) for side, rows in parts.items()}


def coco_parts(path: Path, held: Sequence[bool]) -> dict[str, str]:
    """Divide the images and annotations of a COCO file; the other sections stay.

    Args:
        path: COCO file.
        held: True for each image that goes to val, in the order of the file.

    Returns:
        JSON text of each side.
    """
    whole = json.loads(path.read_bytes())
    parts = {}
    for number, side in enumerate(SIDES):
        images = [x for x, one in zip(whole['images'], held, strict=True) if one == number]
        ids = {x['id'] for x in images}
        annotations = [x for x in whole['annotations'] if x['image_id'] in ids]
        parts[side] = json.dumps({**whole, 'images': images, 'annotations': annotations})
    return parts


def write_split(
    path: Path, kind: str, labels: SplitLabels, options: dict[str, Any], ratio: float, out: Path
) -> dict[str, dict[str, Any]]:
    """Split a table or COCO file and write the two files beside the config.

    Args:
        path: Annotation file.
        kind: 'table' or 'coco'.
        labels: Labels of all images, in the order of the file.
        options: Arguments of the dataset.
        ratio: Share of the images for val.
        out: Config; the files get its name with ``_train`` and ``_val``.

    Returns:
        Arguments of the dataset for each side.

    Raises:
        FileExistsError: A file exists with another split.
        ValueError: There are fewer than two images.
    """
    positive = labels.targets == 1  # (N, K)
    held = stratified_split([np.flatnonzero(row).tolist() for row in positive], ratio, SEED)
    only = positive[:, positive.sum(axis=0) == 1].any(axis=1)  # images alone in a class: to train
    if not all(only[held]):
        held = [one and not alone for one, alone in zip(held, only, strict=True)]
    parts = table_parts(path, options, held) if kind == 'table' else coco_parts(path, held)
    files = {side: out.with_name(f'{out.stem}_{side}{path.suffix}') for side in SIDES}
    for side, file in files.items():
        try:
            write_new(file, parts[side])
        except FileExistsError as error:
            raise FileExistsError(
                f'{error}: a split of other images or another ratio; remove it, or name another '
                'config with --out'
            ) from None
    return {side: dict(ann_file=str(file.resolve())) for side, file in files.items()}


def voc_split(own_lists: bool, ratio: float, out: Path) -> dict[str, dict[str, Any]]:
    """Return the arguments of a VOC folder's sides: its own lists, or some beside the config.

    Args:
        own_lists: True to take the folder's own.
        ratio: Share of the images for val, else.
        out: Config.
    """
    sides: dict[str, dict[str, Any]] = {side: dict(split=side) for side in SIDES}
    if not own_lists:
        lists = dict(split_ratio=ratio, split_seed=SEED, split_dir=str(lists_folder(out)))
        sides = {side: {**own, **lists} for side, own in sides.items()}
    return sides


def lists_folder(out: Path) -> Path:
    """Return the folder of the lists beside a config."""
    return out.resolve().with_name(f'{out.stem}_lists')


def check_split(whole: SplitLabels, parts: Sequence[SplitLabels]) -> None:
    """Refuse two files that are not read as the one they come from.

    Args:
        whole: Labels of all images.
        parts: Labels of the sides; their classes are among those of ``whole``.

    Raises:
        ValueError: An image is missing or has other labels; names it.
    """
    columns = [whole.classes.index(name) for name in parts[0].classes]
    before = dict(zip(whole.paths, whole.targets[:, columns].tolist(), strict=True))
    after = {x: y for one in parts for x, y in zip(one.paths, one.targets.tolist(), strict=True)}
    wrong = [path for path in before if after.get(path) != before[path]]
    if wrong or len(after) != len(before):
        raise ValueError(
            f'{wrong[0] if wrong else "an image"} has other labels in the two files of the split '
            f'than in the whole, as {len(wrong)} of {len(before)} images; fix the reading with '
            '--data-options, such as separator or label_columns'
        )
