"""Arguments that fix the reading of a label table."""

from collections.abc import Sequence
from dataclasses import dataclass

from .cells import SEPARATORS

UNKNOWN = ('ignore', 'negative', 'positive')


@dataclass(frozen=True)
class TableOptions:
    """Hold the arguments of a table; None leaves the choice to the file.

    Attributes:
        path_column: Name of the column of image paths.
        label_columns: Name of the column of labels, a list of the one-hot columns, or in VIA's
            form the name of the attribute.
        separator: One of ``;``, ``|``, ``,`` and a blank between labels, 'json' for lists, or
            'none' for one label a cell.
        none_label: Label that stands for an image without labels; '' for none. None means
            'No Finding' in a column of labels.
        unknown: Meaning of uncertain and missing cells and pairs: 'ignore' (if None), 'negative'
            or 'positive'.
        names: Class names, or a file of them, see ``read_class_names``.
        strip_prefix: Text that all paths begin with and that is left out.
        verified_column: Name of the column that lists the classes an image was checked for; others
            are unknown.

    Raises:
        ValueError: A value is not valid; names the argument.
    """

    path_column: str | None = None
    label_columns: str | Sequence[str] | None = None
    separator: str | None = None
    none_label: str | None = None
    unknown: str | None = None
    names: str | Sequence[str] | None = None
    strip_prefix: str | None = None
    verified_column: str | None = None

    def __post_init__(self) -> None:
        if self.separator is not None and self.separator not in SEPARATORS:
            raise ValueError(f'separator must be one of {list(SEPARATORS)}, got {self.separator!r}')
        if self.unknown is not None and self.unknown not in UNKNOWN:
            raise ValueError(f'unknown must be one of {list(UNKNOWN)}, got {self.unknown!r}')
        for name in ('path_column', 'none_label', 'strip_prefix', 'verified_column'):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise ValueError(f'{name} must be text, got {value!r}')
        for name in ('label_columns', 'names'):
            value = getattr(self, name)
            if isinstance(value, str) or value is None:
                continue
            if not value or any(not isinstance(item, str) for item in value):
                raise ValueError(f'{name} must be a name or a list of names, got {value!r}')
