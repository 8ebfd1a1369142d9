"""Feature maps of a frozen backbone on disk: one record for each view of each image.

A folder holds ``features.npy``, (N, V, D) for N images, V views and D values a record, and
``index.json``, which is written last and names images and shapes. The array is mapped, so workers,
ranks and runs side by side share its pages. Reading runs no code.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmmsf.utils.atomic_file import atomic_file, write_atomically

FEATURES, INDEX = 'features.npy', 'index.json'
FORMAT = 2


@dataclass(frozen=True)
class FeatureIndex:
    """Describe the records of a folder.

    Attributes:
        names: Paths of the N images, relative to their folder.
        shapes: ``ori_shape`` and ``img_shape`` of each image, ((H, W), (h, w)) in pixels.
        map_names: Name of each map of a record.
        map_shapes: Shape (C, h, w) of each map; a record is their values, concatenated.
        views: Number of views V.
        source: Settings that the features depend on, for comparison.
        weights: Digest of each weight of the backbone, for comparison.
        file_sizes: Bytes of each image's file; None for an image without one.
        digest: SHA-256 of the stored values.
    """

    names: Sequence[str]
    shapes: Sequence[Sequence[Sequence[int]]]
    map_names: Sequence[str]
    map_shapes: Sequence[Sequence[int]]
    views: int
    source: dict[str, Any]
    weights: dict[str, str]
    file_sizes: Sequence[int | None]
    digest: str

    @property
    def record_shape(self) -> tuple[int, int, int]:
        """Shape (N, V, D) of the array."""
        values = sum(math.prod(shape) for shape in self.map_shapes)
        return len(self.names), self.views, values

    def save(self, folder: str | Path) -> None:
        """Write the index of a folder atomically."""
        text = json.dumps(dict(format=FORMAT, **asdict(self)))
        write_atomically(Path(folder) / INDEX, text.encode())


class FeatureStore:
    """Open a folder of features for reading.

    Args:
        folder: Folder that :func:`write_records` and :meth:`FeatureIndex.save` wrote.

    Raises:
        FileNotFoundError: The folder has no complete features.
        ValueError: A file is damaged, of another version, or does not fit the other.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        path = self.folder / INDEX
        if not path.is_file():
            raise FileNotFoundError(
                f'{path}: no such file; write features with tools/analysis/cache_features.py'
            )
        try:
            content = json.loads(path.read_text(encoding='utf-8'))
            if content.pop('format') != FORMAT:
                raise ValueError(f'the format must be {FORMAT}')
            self.index = FeatureIndex(**content)
            self.records = np.load(self.folder / FEATURES, mmap_mode='r', allow_pickle=False)
        except (ValueError, TypeError, KeyError, AttributeError, OSError, EOFError) as error:
            raise ValueError(
                f'{self.folder}: the features are damaged or of another version ({error}); '
                'write them again'
            ) from error
        if self.records.shape != self.index.record_shape:
            raise ValueError(
                f'{self.folder}: {FEATURES} must have the shape {self.index.record_shape} of '
                f'{INDEX}, got {self.records.shape}; write them again'
            )

    def __reduce__(self) -> tuple[type['FeatureStore'], tuple[Path]]:
        return type(self), (self.folder,)  # a worker maps the file instead of receiving it

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row of each image."""
        return {name: row for row, name in enumerate(self.index.names)}

    def rows(self, names: Sequence[str]) -> np.ndarray:
        """Return the rows of images, int64.

        Raises:
            ValueError: An image has no features; the message names the first.
        """
        missing = [name for name in names if name not in self.row_of]
        if missing:
            raise ValueError(
                f'{self.folder}: {len(missing)} of {len(names)} images have no features, the first '
                f'is {missing[0]!r}; write the features of this dataset'
            )
        return np.array([self.row_of[name] for name in names], dtype=np.int64)

    def columns(self, maps: Sequence[str]) -> list[slice]:
        """Return the place of each named map in a record.

        Raises:
            ValueError: There is no such map.
        """
        ends = np.cumsum([math.prod(shape) for shape in self.index.map_shapes]).tolist()
        places = dict(zip(self.index.map_names, map(slice, [0, *ends[:-1]], ends), strict=True))
        unknown = [name for name in maps if name not in places]
        if unknown or not maps:
            raise ValueError(
                f'{self.folder}: `maps` must name some of {list(places)}, got {list(maps)}'
            )
        return [places[name] for name in maps]


def write_records(
    folder: str | Path, shape: tuple[int, int, int], batches: Iterable[np.ndarray], dtype: str
) -> str:
    """Write the array of a folder atomically; :meth:`FeatureIndex.save` completes the folder.

    Args:
        folder: Folder to write; earlier features in it are removed first.
        shape: Shape (N, V, D) of the array.
        batches: Records in order, (n, D) each, all views of the first image first.
        dtype: Type of the stored values, ``'float16'`` or ``'float32'``.

    Returns:
        SHA-256 of the stored values, for the index.

    Raises:
        OSError: The disk is full or cannot be written; the message names file and reason.
        ValueError: The batches do not fill the shape, or hold values that are not finite in
            ``dtype``.
    """
    path, kind = Path(folder) / FEATURES, np.dtype(dtype)
    path.with_name(INDEX).unlink(missing_ok=True)
    images, views, values = shape
    header = dict(descr=kind.str, fortran_order=False, shape=shape)
    digest = hashlib.sha256()
    written, size = 0, images * views * values * kind.itemsize
    with atomic_file(path, size=size) as partial, open(partial, 'wb') as file:
        np.lib.format.write_array_header_1_0(file, header)
        for batch in batches:
            if batch.ndim != 2 or batch.shape[1] != values:
                raise ValueError(f'a batch must have shape (n, {values}), got {batch.shape}')
            with np.errstate(over='ignore'):
                stored = batch.astype(kind)
            if not np.isfinite(stored).all():
                raise ValueError(
                    f'features must be finite in {dtype}, the largest is {np.abs(batch).max()}; '
                    'use float32, or look for a fault in the weights'
                )
            content = stored.tobytes()
            file.write(content)
            digest.update(content)
            written += len(batch)
        if written != images * views:
            raise ValueError(f'there must be {images * views} records, got {written}')
    return digest.hexdigest()
