"""Labels of a data set packed into a few arrays."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .packing import largest_of, pack, pair, row_of


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
        listed: Class indices without a label, ascending and distinct in each image, int32 (L,):
            the negative ones in an image that is ``partial``, the unknown ones in another.
        listed_ends: Ends of the images' classes in ``listed``, int64 (N,).
        partial: True for an image that says of some classes only whether they are in it; the
            classes without a label that are not listed are unknown in it, and negative in
            another; bool (N,).
    """

    classes: tuple[str, ...]
    names: np.ndarray
    name_ends: np.ndarray
    labels: np.ndarray
    areas: np.ndarray
    label_ends: np.ndarray
    listed: np.ndarray
    listed_ends: np.ndarray
    partial: np.ndarray

    DTYPES = dict(
        names=np.uint8,
        name_ends=np.int64,
        labels=np.int32,
        areas=np.float64,
        label_ends=np.int64,
        listed=np.int32,
        listed_ends=np.int64,
        partial=np.bool_,
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
        listed: tuple[np.ndarray, np.ndarray] | None = None,
        partial: np.ndarray | None = None,
    ) -> 'LabelTable':
        """Gather instances into labels.

        Args:
            classes: Class names.
            file_names: File names of the N images.
            rows: Image of each of I instances, 0 to N - 1, shape (I,).
            labels: Class index of each instance, shape (I,).
            areas: Area of each instance in square pixels, NaN if unknown, shape (I,).
            listed: Images and class indices of ``listed``, each of shape (J,); none by default.
            partial: See the class; no image by default.
        """
        # surrogatepass: JSON can hold half of a surrogate pair, and so can a file's name
        encoded = [name.encode('utf-8', 'surrogatepass') for name in file_names]
        num_classes, num_rows = len(classes), len(encoded)
        pairs, largest = largest_of(pair(rows, labels, num_classes), areas)
        marked_rows, marked = listed or (np.empty(0, np.int64), np.empty(0, np.int64))
        marked = np.unique(pair(marked_rows, marked, num_classes))
        packed, label_ends = pack(pairs, num_classes, num_rows)
        packed_listed, listed_ends = pack(marked, num_classes, num_rows)
        return cls(
            classes=tuple(classes),
            names=np.frombuffer(b''.join(encoded), np.uint8),
            name_ends=np.cumsum([len(name) for name in encoded], dtype=np.int64),
            labels=packed,
            areas=largest,
            label_ends=label_ends,
            listed=packed_listed,
            listed_ends=listed_ends,
            partial=np.zeros(num_rows, np.bool_) if partial is None else partial,
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
        table._check()
        return table

    def _check(self) -> None:
        """Raise ValueError where the arrays do not fit each other."""
        _check_ends('name_ends', self.name_ends, len(self.names))
        _check_ends('label_ends', self.label_ends, len(self.labels))
        _check_ends('listed_ends', self.listed_ends, len(self.listed))
        if len(self.areas) != len(self.labels) or len(self.label_ends) != len(self):
            raise ValueError('areas must be parallel to labels, label_ends to name_ends')
        if not len(self.listed_ends) == len(self.partial) == len(self):
            raise ValueError('listed_ends and partial must be parallel to name_ends')
        for name in ('labels', 'listed'):
            values = getattr(self, name)
            if values.size and not 0 <= values.min() <= values.max() < len(self.classes):
                raise ValueError(f'{name} must be 0 to {len(self.classes) - 1}')

    def unknown(self, row: int) -> list[int]:
        """Return the classes of an image that are neither positive nor negative, ascending."""
        listed = row_of(self.listed, self.listed_ends, row)
        if not self.partial[row] and not listed.size:
            return []
        flags = np.full(len(self.classes), self.partial[row])
        flags[listed] = not self.partial[row]
        flags[row_of(self.labels, self.label_ends, row)] = False
        return np.flatnonzero(flags).tolist()

    def with_classes(self, classes: Sequence[str], index_of: Mapping[str, int]) -> 'LabelTable':
        """Choose, order and merge the classes.

        A merged class is positive if one of its parts is, with the size of the largest; else it is
        negative if all of its parts are, and unknown if not.

        Args:
            classes: Names of the new classes.
            index_of: New index of each name of ``self.classes``; names that are absent are dropped.
        """
        num_classes, num_rows = len(classes), len(self)
        target = np.array([index_of.get(name, -1) for name in self.classes], np.int64)
        if tuple(classes) == self.classes and list(target) == list(range(num_classes)):
            return self
        parts = np.bincount(target[target >= 0], minlength=num_classes)

        def pairs_of(values: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            rows, new = np.repeat(np.arange(num_rows), np.diff(ends, prepend=0)), target[values]
            return pair(rows, new, num_classes)[new >= 0], new >= 0

        pairs, kept = pairs_of(self.labels, self.label_ends)
        pairs, areas = largest_of(pairs, self.areas[kept])
        marked, counts = np.unique(pairs_of(self.listed, self.listed_ends)[0], return_counts=True)
        whole = counts == parts[marked % num_classes]
        marked = marked[whole | ~self.partial[marked // num_classes]]
        labels, label_ends = pack(pairs, num_classes, num_rows)
        listed, listed_ends = pack(marked, num_classes, num_rows)
        return replace(
            self,
            classes=tuple(classes),
            labels=labels,
            areas=areas,
            label_ends=label_ends,
            listed=listed,
            listed_ends=listed_ends,
        )
