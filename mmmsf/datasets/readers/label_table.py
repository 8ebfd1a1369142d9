"""Tables of image paths and labels in the forms that tools write, read and checked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .files import check_file_name
from .tables.class_names import ClassNames, read_class_names
from .tables.columns import Layout, recognize
from .tables.form import Form
from .tables.label_column import read_column
from .tables.one_hot import read_flags
from .tables.options import TableOptions
from .tables.rows import (
    LabelRow,
    clear_none,
    drop_repeated,
    fill_unknown,
    merge_images,
    settle_unknown,
)
from .tables.text import TextTable, load_text_table
from .tables.via import read_via

# Label Studio's addresses of uploaded and of local files
SERVER_PREFIX = re.compile(r'/data/(?:upload/(?:\d+/)?|local-files/\?d=)')
SHOWN = 10  # columns in the description


@dataclass(frozen=True)
class TableLabels:
    """Hold the labels of a table.

    Attributes:
        classes: Names in the order of their indices.
        complete: True if the file lists its classes, in one-hot columns or in ``names``.
        rows: An entry per image, in the order of the file.
        description: What was recognised, for the log.
        split_at: Separator of the labels in a cell, if any; ';|' for both.
    """

    classes: tuple[str, ...]
    complete: bool
    rows: list[LabelRow]
    description: str
    split_at: str | None = None

    def counts(self) -> dict[str, int]:
        """Count the images of each class."""
        counts = dict.fromkeys(self.classes, 0)
        for row in self.rows:
            for label in row.labels:
                counts[label] += 1
        return counts


def _clean_paths(table: TextTable, column: int, prefix: str | None) -> list[str]:
    """Strip and check the paths of a table."""
    paths = []
    for row, path in enumerate(table.cells(column)):
        where = table.where(row)
        if prefix and not path.startswith(prefix):
            raise ValueError(
                f'{where}: strip_prefix must be the beginning of all paths, got {prefix!r} and '
                f'the path {path!r}'
            )
        match = SERVER_PREFIX.match(path) if prefix is None else None
        path = path[match.end() if match else len(prefix or '') :]
        if not path:
            raise ValueError(f'{where}: the path is empty')
        try:
            check_file_name(path, where)
        except ValueError as error:
            raise ValueError(f'{error}; strip_prefix leaves out the beginning') from None
        paths.append(path)
    return paths


def _read_form(
    table: TextTable,
    layout: Layout,
    options: TableOptions,
    paths: Sequence[str],
    names: ClassNames | None,
    vocabulary: Sequence[str],
) -> Form:
    if layout.form == 'flags':
        return read_flags(table, layout, options, paths)
    if layout.form == 'via':
        return read_via(table, layout, options, paths)
    return read_column(table, layout, options, paths, names, vocabulary)


def _describe(
    table: TextTable, layout: Layout, form: Form, counts: dict[str, int], unknown: str
) -> str:
    """Write what was recognised, for the log."""
    noun = 'pairs of image and class' if form.missing else 'cells'
    treated = 'ignored' if unknown == 'ignore' else f'taken as {unknown}'
    text = f'{form.text}, {counts["images"]} images, {counts["classes"]} classes'
    if counts['unsure']:
        text += f', {counts["unsure"]} uncertain {noun} {treated} (unknown={unknown!r})'
    if counts['none']:
        text += f'; {form.none_label!r} means no label in {counts["none"]} images (none_label)'
    used = {layout.path, layout.confidence, layout.verified, *layout.labels}
    unused = [repr(name) for k, name in enumerate(table.header) if k not in used]
    if unused:
        text += f'; columns not used: {", ".join(unused[:SHOWN])}'
    return text + (', ...' if len(unused) > SHOWN else '')


def read_table(
    path: str, options: TableOptions | None = None, vocabulary: Sequence[str] = ()
) -> TableLabels:
    """Read and check a table of image paths and labels.

    Args:
        path: CSV, TSV, JSON lines (``.jsonl``) or list of paths and indices.
        options: Arguments that fix the reading; what they leave open is recognised.
        vocabulary: Class names that are known from elsewhere; they may decide if a blank or a
            comma separates labels.

    Raises:
        OSError, FileNotFoundError: A file does not exist or cannot be read.
        ValueError: The table is damaged, or several readings are possible; names the file, the
            line and the argument that settles it.
    """
    options = options or TableOptions()
    names = None if options.names is None else read_class_names(options.names)
    table = load_text_table(path)
    layout = recognize(table, options)
    paths = _clean_paths(table, layout.path, options.strip_prefix)
    form = _read_form(table, layout, options, paths, names, vocabulary)
    rows, repeated = drop_repeated(form.rows)
    rows = merge_images(path, rows, form.repeats)
    found = {name for row in rows for name in (*row.labels, *row.absent)} - {form.none_label}
    classes = form.classes or (names.names if names else tuple(sorted(found)))
    classes = tuple(name for name in classes if name != form.none_label)
    if form.missing:
        rows = fill_unknown(rows, classes, form.none_label)
    rows, num_none = clear_none(path, rows, form.none_label)
    unsure = sum(len(row.unknown) for row in rows)
    rows = settle_unknown(path, rows, len(classes), options.unknown)
    counts = dict(images=len(rows), classes=len(classes), unsure=unsure, none=num_none)
    text = _describe(table, layout, form, counts, options.unknown or 'ignore')
    text = '; '.join(filter(None, [text, repeated]))
    return TableLabels(classes, bool(form.classes or names), rows, text, form.split_at)
