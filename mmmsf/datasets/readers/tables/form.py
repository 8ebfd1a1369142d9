"""Result of reading a label table in one of its forms."""

from collections.abc import Sequence
from dataclasses import dataclass

from .columns import Layout
from .options import TableOptions
from .rows import LabelRow
from .text import TextTable


@dataclass(frozen=True)
class Form:
    """Hold the rows of a table and what its form means.

    Attributes:
        text: Description for the log.
        rows: Rows as they are in the file.
        none_label: Label that stands for no label; '' for none.
        classes: Classes in the order of the header, for one-hot columns.
        repeats: True if an image may have several rows.
        missing: True if a class that is not named in a row is unknown.
        split_at: Key of ``PATTERNS``, if labels in a cell are separated so.
    """

    text: str
    rows: list[LabelRow]
    none_label: str = ''
    classes: tuple[str, ...] | None = None
    repeats: bool = False
    missing: bool = False
    split_at: str | None = None


def reject(
    table: TextTable,
    layout: Layout,
    options: TableOptions,
    form: str,
    arguments: Sequence[str],
) -> None:
    """Refuse arguments that a form cannot use.

    Raises:
        ValueError: One of them is given, or there is a column of verified classes by its name.
    """
    for name in arguments:
        value = getattr(options, name)
        if name == 'verified_column' and layout.verified is not None:
            value = table.header[layout.verified]
        if value is not None:
            raise ValueError(
                f'{table.path}: {name} has no meaning for {form}, got {value!r}; leave '
                'out the argument, or the column'
            )
