"""Safe image loading: 3-channel BGR, or an error that names file, fault and remedy."""

import functools
import io
import warnings

import cv2
import mmengine.fileio as fileio
import numpy as np
from mmcv.transforms import LoadImageFromFile
from PIL import Image

from mmmsf.registry import TRANSFORMS

# Pillow's own limit: twice the default of its MAX_IMAGE_PIXELS.
MAX_PIXELS = 178_956_970

# Final bytes of a complete file by Pillow's format name. Some writers pad after them.
END_MARKERS = {'JPEG': b'\xff\xd9', 'MPO': b'\xff\xd9', 'PNG': b'IEND'}
TAIL_BYTES = 64

# Formats that both Pillow and cv2 read. Pillow reads more, one of them by running Ghostscript.
FORMATS = (
    'AVIF',
    'BMP',
    'DIB',
    'GIF',
    'JPEG',
    'JPEG2000',
    'MPO',
    'PNG',
    'PPM',
    'SUN',
    'TIFF',
    'WEBP',
)


class ImageReadError(ValueError):
    """Signal an image that cannot be used; the message names file, fault and remedy."""


@functools.cache
def _formats() -> tuple[str, ...]:
    """Return the members of ``FORMATS`` that this build of Pillow reads."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _read_header(content: bytes, name: str) -> tuple[str, int, int]:
    """Return format, width and height from the header alone; no pixel is allocated."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_formats()) as image:
                return str(image.format), image.width, image.height
    except Image.DecompressionBombError as error:
        raise ImageReadError(
            f'{name}: refused, the image is too large to decode: {error}'
        ) from error
    except Exception as error:  # Pillow's plugins raise many types on bad headers
        raise ImageReadError(
            f'{name}: not an image, or cut short (it has {len(content)} bytes and begins with '
            f'{content[:12]!r}); replace the file or take it out of the list'
        ) from error


def _check_complete(content: bytes, name: str, image_format: str) -> None:
    """Refuse truncated data, which cv2 may decode without an error.

    JPEG and PNG files with their end marker pass at once; every other file is decoded by Pillow,
    which is strict.
    """
    marker = END_MARKERS.get(image_format)
    if marker is not None and marker in content[-TAIL_BYTES:]:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_formats()) as image:
                image.load()
    except Exception as error:
        raise ImageReadError(
            f'{name}: the {image_format} data are truncated or corrupt ({error});'
            ' fetch the file again'
        ) from error


def check_content(content: bytes, name: str, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Refuse a file that is not a complete image of at most ``max_pixels`` pixels.

    Args:
        content: Bytes of the file.
        name: Name of the image in errors, usually its path.
        max_pixels: Largest number of pixels.

    Returns:
        Width and height in pixels, before EXIF rotation.

    Raises:
        ImageReadError: ``content`` is empty, not an image of ``FORMATS``, truncated, or larger
            than ``max_pixels``; the size is read from the header, before any allocation.
    """
    if not content:
        raise ImageReadError(f'{name}: the file is empty (0 bytes); fetch it again')
    image_format, width, height = _read_header(content, name)
    if width * height > max_pixels:
        raise ImageReadError(
            f'{name}: refused, {width} x {height} is more than max_pixels='
            f'{max_pixels}; shrink the image or raise max_pixels'
        )
    _check_complete(content, name, image_format)
    return width, height


def decode_image(
    content: bytes, name: str, max_pixels: int = MAX_PIXELS, ignore_orientation: bool = False
) -> np.ndarray:
    """Decode an encoded image to 3-channel BGR.

    Grey and palette images are expanded, CMYK is converted, 16-bit values are scaled to 8 bits, an
    alpha channel is dropped (its pixels keep their colour, as in MMCV), and the EXIF orientation
    is applied unless ``ignore_orientation``.

    Args:
        content: Bytes of the file (JPEG, PNG, WebP, BMP, GIF, TIFF, ...).
        name: Name of the image in errors, usually its path.
        max_pixels: Largest number of pixels, checked against the header.
        ignore_orientation: Keep the pixels as they are stored.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ImageReadError: ``content`` is empty, not an image, truncated, corrupt, larger than
            ``max_pixels``, or of a kind that cv2 cannot decode.
    """
    size = check_content(content, name, max_pixels)
    flags = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if ignore_orientation else 0)
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error as error:
        raise ImageReadError(
            f'{name}: cv2 failed on the data: {error}; fetch the file again'
        ) from error
    if image is None:
        raise ImageReadError(
            f'{name}: the data are corrupt, or of a kind that cv2 cannot decode; '
            'save the image as 8-bit JPEG or PNG'
        )
    if sorted(image.shape[:2]) != sorted(size):  # Pillow and cv2 disagree
        raise ImageReadError(
            f'{name}: the data are corrupt: {size[0]} x {size[1]} pixels by the '
            f'header, decoded {image.shape[1]} x {image.shape[0]}; fetch the file '
            'again'
        )
    return image


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """Load ``results['img_path']`` through :func:`decode_image`.

    Sets ``img`` (uint8 (H, W, 3), BGR), ``img_shape`` and ``ori_shape``, both (H, W) of the decoded
    image. Unlike MMCV's ``LoadImageFromFile`` it refuses truncated files and never returns None.

    Args:
        max_pixels: Largest number of pixels of an image.
        to_float32: Convert to float32 (still 0 to 255).
        backend_args: Arguments of MMEngine's file backend.
        ignore_orientation: Skip the EXIF rotation, as ``PIL.Image.open`` and code that is built
            on it do.

    Raises:
        ValueError: ``max_pixels`` is not positive.
    """

    def __init__(
        self,
        max_pixels: int = MAX_PIXELS,
        to_float32: bool = False,
        backend_args: dict | None = None,
        ignore_orientation: bool = False,
    ) -> None:
        super().__init__(to_float32=to_float32, backend_args=backend_args)
        if max_pixels <= 0:
            raise ValueError(f'max_pixels must be positive, got {max_pixels}')
        self.max_pixels = max_pixels
        self.ignore_orientation = ignore_orientation

    def transform(self, results: dict) -> dict:
        """Read and decode one image.

        Raises:
            ImageReadError: The file is missing, unreadable or not a complete image.
        """
        path = results['img_path']
        try:
            content = fileio.get(path, backend_args=self.backend_args)
        except FileNotFoundError as error:
            raise ImageReadError(
                f'{path}: no such file; check data_root and data_prefix'
            ) from error
        except OSError as error:
            raise ImageReadError(f'{path}: cannot be read: {error}') from error
        except ValueError as error:  # a NUL, half of a surrogate pair
            raise ImageReadError(f'{path!r}: no file can have this name: {error}') from error
        image = decode_image(content, str(path), self.max_pixels, self.ignore_orientation)
        shape = image.shape[:2]
        image = image.astype(np.float32) if self.to_float32 else image
        return {**results, 'img': image, 'img_shape': shape, 'ori_shape': shape}

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(max_pixels={self.max_pixels}, '
            f'to_float32={self.to_float32}, backend_args={self.backend_args}, '
            f'ignore_orientation={self.ignore_orientation})'
        )
