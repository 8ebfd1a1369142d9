"""Labels of a data set packed into a few arrays, and a sequence of items that reads them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from mmengine.fileio import join_path


def _check_ends(name: str, ends: np.ndarray, length: int) -> None:
    steps = np.diff(ends, prepend=0)
    if (steps < 0).any() or (ends[-1] if ends.size else 0) != length:
        raise ValueError(f'{name} must rise from 0 to {length}')


@dataclass(frozen=True, eq=False)
class LabelTable:
    """Hold file names and labels of N images, M labels in all, in read-only arrays.

    Row i of a packed array is ``values[ends[i - 1]:ends[i]]`` (from 0 for the first).

    Attributes:
        classes: Class names in the order of their indices.
        names: UTF-8 file names of all images, concatenated, uint8.
        name_ends: Ends of the names in ``names``, int64 (N,).
        labels: Class indices, ascending and distinct in each image, int32 (M,).
        areas: Largest instance of each label in square pixels, NaN if unknown, float64 (M,).
        label_ends: Ends of the images' labels in ``labels``, int64 (N,).
    """

    classes: tuple[str, ...]
    names: np.ndarray
    name_ends: np.ndarray
    labels: np.ndarray
    areas: np.ndarray
    label_ends: np.ndarray

    DTYPES = dict(
        names=np.uint8, name_ends=np.int64, labels=np.int32, areas=np.float64, label_ends=np.int64
    )

    def __post_init__(self) -> None:
        for name in self.DTYPES:
            getattr(self, name).setflags(write=False)

    def __len__(self) -> int:
        return len(self.name_ends)

    @classmethod
    def from_columns(
        cls,
        classes: Sequence[str],
        file_names: Sequence[str],
        rows: np.ndarray,
        labels: np.ndarray,
        areas: np.ndarray,
    ) -> 'LabelTable':
        """Gather instances into labels.

        Args:
            classes: Class names.
            file_names: File names of the N images.
            rows: Image of each of I instances, 0 to N - 1, shape (I,).
            labels: Class index of each instance, shape (I,).
            areas: Area of each instance in square pixels, NaN if unknown, shape (I,).
        """
        # surrogatepass: JSON can hold half of a surrogate pair, and so can a file's name
        encoded = [name.encode('utf-8', 'surrogatepass') for name in file_names]
        pairs = rows.astype(np.int64) * len(classes) + labels
        order = np.argsort(pairs, kind='stable')
        distinct, starts = np.unique(pairs[order], return_index=True)
        # fmax passes over NaN, so a known size wins over an unknown one
        largest = np.fmax.reduceat(areas[order], starts) if starts.size else np.empty(0)
        counts = np.bincount(distinct // len(classes), minlength=len(encoded))
        return cls(
            classes=tuple(classes),
            names=np.frombuffer(b''.join(encoded), np.uint8),
            name_ends=np.cumsum([len(name) for name in encoded], dtype=np.int64),
            labels=(distinct % len(classes)).astype(np.int32),
            areas=largest.astype(np.float64),
            label_ends=np.cumsum(counts, dtype=np.int64),
        )

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return plain arrays for a file; ``from_arrays`` restores the table from them."""
        classes = np.frombuffer(json.dumps(self.classes).encode(), np.uint8)
        return dict(classes=classes, **{name: getattr(self, name) for name in self.DTYPES})

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> 'LabelTable':
        """Restore a table from the arrays of ``to_arrays``.

        Raises:
            ValueError: An array is missing, has another type, or does not fit the others.
        """
        missing = sorted({'classes', *cls.DTYPES} - set(arrays))
        if missing:
            raise ValueError(f'the arrays {missing} are missing')
        for name, dtype in cls.DTYPES.items():
            array = arrays[name]
            if array.dtype != dtype or array.ndim != 1:
                raise ValueError(
                    f'{name} must be one row of {np.dtype(dtype)}, got '
                    f'{array.dtype} of shape {array.shape}'
                )
        table = cls(
            tuple(json.loads(arrays['classes'].tobytes())),
            **{name: arrays[name] for name in cls.DTYPES},
        )
        _check_ends('name_ends', table.name_ends, len(table.names))
        _check_ends('label_ends', table.label_ends, len(table.labels))
        if len(table.areas) != len(table.labels) or len(table.label_ends) != len(table):
            raise ValueError('areas must be parallel to labels, label_ends to name_ends')
        if table.labels.size and not 0 <= table.labels.min() <= table.labels.max() < len(
            table.classes
        ):
            raise ValueError(f'labels must be 0 to {len(table.classes) - 1}')
        return table

    def reordered(self, classes: Sequence[str]) -> 'LabelTable':
        """Return the same labels under another order of the classes.

        Args:
            classes: Permutation of ``self.classes``.
        """
        if tuple(classes) == self.classes:
            return self
        position = {name: index for index, name in enumerate(classes)}
        labels = np.array([position[name] for name in self.classes], np.int32)[self.labels]
        rows = np.repeat(np.arange(len(self)), np.diff(self.label_ends, prepend=0))
        order = np.lexsort((labels, rows))
        return replace(self, classes=tuple(classes), labels=labels[order], areas=self.areas[order])


class LabelItems(Sequence):
    """Present images of a ``LabelTable`` as the items that ``MultiLabelData`` describes.

    Items are made on access, so only the arrays stay in memory, in pages that forked workers
    share.

    Args:
        table: Labels.
        prefix: Folder of the images.
        rows: Images of the table that are in the list, int64; all by default.
    """

    def __init__(self, table: LabelTable, prefix: str, rows: np.ndarray | None = None) -> None:
        self.table = table
        self.prefix = prefix
        self.rows = np.arange(len(table)) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> 'LabelItems': ...

    def __getitem__(self, index: int | slice) -> 'dict[str, Any] | LabelItems':
        """Return one item, or with a slice a sequence of several."""
        if isinstance(index, slice):
            return LabelItems(self.table, self.prefix, self.rows[index])
        row, table = int(self.rows[index]), self.table
        name = _row(table.names, table.name_ends, row).tobytes().decode('utf-8', 'surrogatepass')
        return dict(
            img_path=join_path(self.prefix, name),
            gt_label=_row(table.labels, table.label_ends, row).tolist(),
            areas=_row(table.areas, table.label_ends, row).tolist(),
        )

    def select(self, indices: Sequence[int]) -> 'LabelItems':
        """Select the items at ``indices``, negative ones counted from the end.

        Raises:
            IndexError: An index is out of range.
        """
        return LabelItems(self.table, self.prefix, self.rows[np.asarray(indices, dtype=np.int64)])

    def labelled(self) -> 'LabelItems':
        """Select the items that have a label."""
        counts = np.diff(self.table.label_ends, prepend=0)
        return LabelItems(self.table, self.prefix, self.rows[counts[self.rows] > 0])


def _row(values: np.ndarray, ends: np.ndarray, row: int) -> np.ndarray:
    return values[ends[row - 1] if row else 0 : ends[row]]
