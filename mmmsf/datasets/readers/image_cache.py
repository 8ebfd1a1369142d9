"""Cache of decoded images: the results of a pipeline's first, deterministic steps.

A file is named by the hash of its images' bytes and of the steps, so it cannot be stale, and path
and date of the images do not matter. One process writes it, atomically; others that need it
meanwhile wait for its lock. All map it and share its pages. It holds pixels and JSON (reading runs
no code) and may be deleted at any time.
"""

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from zlib import crc32

import mmengine.fileio as fileio
import numpy as np
from mmcv.transforms import Resize
from mmengine.logging import print_log
from mmpretrain.datasets.transforms import CenterCrop, ResizeEdge

from mmmsf.datasets.transforms import LoadImage
from mmmsf.utils.atomic_file import atomic_file

try:
    import fcntl
except ImportError:  # Windows: several processes may write the same content
    fcntl = None  # type: ignore[assignment]

# Part of every file name: raise it when the layout, or the result of a step, changes.
FORMAT = 2
MEMORY = 'memory'
DETERMINISTIC = (Resize, ResizeEdge, CenterCrop)  # exactly these: a subclass may draw numbers
END = b'mmms'  # end of a complete file, after checksum and length of the index, 4 and 8 bytes


def leading_steps(steps: Sequence[Callable]) -> list[Callable]:
    """Return the steps of a pipeline that can be cached: its loader and fixed resizes and crops.

    Raises:
        ValueError: The pipeline does not begin with ``mmmsf.LoadImage``.
    """
    if not steps or type(steps[0]) is not LoadImage:
        found = steps[0] if steps else 'no step'
        raise ValueError(
            f'with `image_cache` the pipeline must begin with mmmsf.LoadImage, got {found}'
        )
    count = 1
    while count < len(steps) and type(steps[count]) in DETERMINISTIC:
        count += 1
    return list(steps[:count])


def cache_name(paths: Sequence[str], steps: Sequence[Callable]) -> str:
    """Return the name of the file for these images: a hash of their bytes, in order, and the steps.

    Raises:
        OSError: An image cannot be read.
    """
    digest = hashlib.sha256(repr((FORMAT, steps)).encode())
    for path in paths:
        digest.update(hashlib.sha256(fileio.get(path)).digest())
    return f'images-v{FORMAT}-{digest.hexdigest()}.bin'


def _plain(value: Any) -> Any:
    """Convert NumPy's types for JSON."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value


def write_images(file: IO[bytes], paths: Sequence[str], steps: Sequence[Callable]) -> None:
    """Write the images one after the other, then an index of their places and other results."""
    index, start = [], 0
    for path in paths:
        results: dict[str, Any] = dict(img_path=path)
        for step in steps:
            results = step(results)
        image = np.ascontiguousarray(results.pop('img'))
        del results['img_path']
        place = dict(start=start, shape=image.shape, dtype=image.dtype.str)
        index.append((place, results))
        file.write(image.data)
        start += image.nbytes
    text = json.dumps(index, default=_plain).encode()
    tail = crc32(text).to_bytes(4, 'little') + len(text).to_bytes(8, 'little')
    file.write(text + tail + END)


class CachedImages:
    """Read images that :func:`write_images` wrote.

    Args:
        content: The whole file, uint8 (size,).

    Raises:
        ValueError: The content is incomplete or its index damaged.
    """

    def __init__(self, content: np.ndarray) -> None:
        tail = content[-16:].tobytes()
        if tail[12:] != END:
            raise ValueError('the file is incomplete')
        end = len(content) - 16
        length = int.from_bytes(tail[4:12], 'little')
        self.content = content
        text = content[end - length : end].tobytes()
        if crc32(text) != int.from_bytes(tail[:4], 'little'):
            raise ValueError('the index is damaged')
        self.index = json.loads(text)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return the results of the cached steps for one image; ``img`` is a copy."""
        place, results = self.index[number]
        dtype, shape, start = np.dtype(place['dtype']), place['shape'], place['start']
        size = int(np.prod(shape)) * dtype.itemsize
        image = self.content[start : start + size].view(dtype).reshape(shape).copy()
        # pipelines set tuples, which JSON knows as lists
        found = {key: tuple(x) if isinstance(x, list) else x for key, x in results.items()}
        return dict(found, img=image)


class MappedImages(CachedImages):
    """Map a cache file.

    Args:
        path: File.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is incomplete or its index damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        super().__init__(np.memmap(self.path, np.uint8, 'r').view(np.ndarray))

    def __reduce__(self) -> tuple[type['MappedImages'], tuple[Path]]:
        return type(self), (self.path,)  # a spawned worker maps the file instead of receiving it


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock among processes; it ends with the process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'ab') as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cached_images(paths: Sequence[str], steps: Sequence[Callable], where: str) -> CachedImages:
    """Return the images after the first steps of a pipeline, computed once.

    Args:
        paths: Images.
        steps: Steps, see :func:`leading_steps`.
        where: ``'memory'``, or the folder of the cache.

    Raises:
        OSError: The folder cannot be written or its disk is full; names the file and the reason.
        ImageReadError: An image cannot be used.
    """
    if where == MEMORY:
        buffer = io.BytesIO()
        write_images(buffer, paths, steps)
        return CachedImages(np.frombuffer(buffer.getbuffer(), np.uint8))
    path = Path(os.path.expanduser(where)) / cache_name(paths, steps)
    with suppress(FileNotFoundError, ValueError):
        return MappedImages(path)  # needs no lock, nor a folder that can be written
    with _locked(path.with_suffix('.lock')):
        try:
            return MappedImages(path)
        except FileNotFoundError:
            pass
        except ValueError as error:
            print_log(f'{path}: {error}, it is written again', logger='current')
        with atomic_file(path, shared=True) as partial, open(partial, 'wb') as file:
            write_images(file, paths, steps)
        return MappedImages(path)
