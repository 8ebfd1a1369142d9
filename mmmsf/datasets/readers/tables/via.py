"""Attributes of files and regions in the CSV export of VIA, the VGG image annotator."""

from collections import Counter
from collections.abc import Iterator, Sequence

from .cells import labels_of_value
from .columns import Layout
from .form import Form, reject
from .options import TableOptions
from .rows import LabelRow
from .text import TextTable, parse_json

VIA_DEFAULTS = ('caption', 'public_domain', 'image_url')  # attributes of every VIA project


def _via_records(table: TextTable, layout: Layout) -> Iterator[tuple[int, str, list[str]]]:
    """Yield row, attribute and labels of every attribute."""
    for number, cells in enumerate(table.rows):
        for k in layout.labels:
            where = f'{table.where(number)}: {table.header[k]}'
            record = parse_json(cells[k], where) if cells[k] else {}
            if not isinstance(record, dict):
                raise ValueError(f'{where} must be a JSON object, got {cells[k][:80]!r}')
            for name, value in record.items():
                if name not in VIA_DEFAULTS and value not in ('', None):
                    yield number, name, labels_of_value(value, where)


def read_via(table: TextTable, layout: Layout, options: TableOptions, paths: Sequence[str]) -> Form:
    """Read the attributes of VIA (VGG image annotator), of files and of regions.

    Raises:
        ValueError: An attribute is not valid, or several have labels.
    """
    reject(
        table,
        layout,
        options,
        "VIA's attributes",
        ('separator', 'names', 'verified_column', 'unknown'),
    )
    wanted = options.label_columns
    records = [
        record for record in _via_records(table, layout) if (wanted is None or record[1] == wanted)
    ]
    counts = Counter(name for _, name, labels in records for _ in labels)
    if len(counts) > 1 or (wanted is not None and not counts):
        raise ValueError(
            f'{table.path}: label_columns must name one attribute of VIA that has labels, got '
            f'{wanted!r}, but the attributes are {dict(counts)}'
        )
    rows = [LabelRow(line, path, []) for line, path in zip(table.lines, paths, strict=True)]
    for number, _, labels in records:
        rows[number].labels.extend(labels)
    text = f"VIA's attribute {next(iter(counts), wanted)!r}"
    return Form(text, rows, options.none_label or '', repeats=True)
