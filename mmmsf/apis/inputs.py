"""Expansion of the images that a caller names, and their conversion to BGR arrays."""

import glob
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from mmmsf.datasets.transforms import ImageReadError, decode_image
from mmmsf.datasets.transforms.loading import MAX_PIXELS

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.gif', '.tif', '.tiff', '.webp', '.ppm', '.pgm')

ImageInput = str | NDArray[np.uint8] | Image.Image


def _expand_path(path: str) -> list[str]:
    """List the files of a folder or a pattern, sorted; keep a path or URL."""
    if os.path.isdir(path):  # Path.is_dir would raise for a name that no folder can have
        found = [
            os.path.join(folder, name)
            for folder, _, names in os.walk(path)
            for name in names
            if Path(name).suffix.lower() in SUFFIXES
        ]
        if not found:
            raise ValueError(f'the folder {path} holds no image (suffixes {", ".join(SUFFIXES)})')
        return sorted(found)
    if glob.has_magic(path) and '://' not in path and not os.path.exists(path):
        found = [name for name in glob.glob(path, recursive=True) if os.path.isfile(name)]
        if not found:
            raise ValueError(f'no file matches the pattern {path}')
        return sorted(found)
    return [path]


def expand_inputs(inputs: Any) -> list[ImageInput]:
    """List the images that a caller names.

    Args:
        inputs: A path, a folder (searched recursively for image suffixes, sorted), a glob pattern
            (``**`` included), an array, a PIL image, or a list of these.

    Raises:
        TypeError: An input is none of these.
        ValueError: A folder or a pattern matches no image.
    """
    if isinstance(inputs, str | os.PathLike):
        return list(_expand_path(os.fspath(inputs)))
    if isinstance(inputs, np.ndarray | Image.Image):
        return [inputs]
    if isinstance(inputs, Sequence):
        return [image for item in inputs for image in expand_inputs(item)]
    raise TypeError(
        'an input must be a path, a folder, a pattern, an array (H, W, 3), a PIL '
        f'image or a list of these, got {type(inputs).__name__}'
    )


def _from_pil(image: Image.Image, max_pixels: int) -> NDArray[np.uint8]:
    """Convert as if read from a PNG file, so that 16-bit, palette and alpha images agree."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ('CMYK', 'YCbCr', 'LAB', 'HSV'):
        image = image.convert('RGB')
    if image.mode == 'RGB':
        return np.ascontiguousarray(np.asarray(image)[..., ::-1])
    buffer = io.BytesIO()
    try:
        image.save(buffer, 'PNG', compress_level=1)
    except OSError as error:
        raise ImageReadError(
            f'a PIL image of mode {image.mode} cannot be used; convert it to RGB'
        ) from error
    return decode_image(buffer.getvalue(), 'the PIL image', max_pixels)


def to_bgr(image: NDArray | Image.Image, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Convert an image in memory to the form of :func:`mmmsf.datasets.transforms.decode_image`.

    Args:
        image: uint8 array (H, W, 3) in BGR order, as MMCV and OpenCV read them, or a PIL image.
        max_pixels: Refuse PIL images with more pixels; Pillow decodes them only now.

    Returns:
        uint8 (H, W, 3), BGR.

    Raises:
        ImageReadError: An array of another shape or type, or a PIL image that is too large, corrupt
            or of a mode that 8-bit colour cannot represent.
    """
    if isinstance(image, Image.Image):
        if image.width * image.height > max_pixels:
            raise ImageReadError(
                f'the PIL image: refused, {image.width} x {image.height} is more '
                f'than max_pixels={max_pixels}'
            )
        try:
            return _from_pil(image, max_pixels)
        except ImageReadError:
            raise
        except Exception as error:  # Pillow's plugins raise many types when they decode
            raise ImageReadError(f'the PIL image cannot be decoded: {error}') from error
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ImageReadError(
            'an image array must be uint8 of shape (H, W, 3) in BGR order, got '
            f'{image.dtype} of shape {image.shape}'
        )
    return image
