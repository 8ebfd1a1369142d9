"""Faster MMCV and MMPretrain transforms with the same arguments, random numbers and pixels."""

from collections.abc import Callable
from typing import Any, cast

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmcv.transforms import RandomFlip as FrameworkRandomFlip
from mmpretrain.datasets.transforms import auto_augment, formatting
from numpy.typing import NDArray

from mmmsf.registry import TRANSFORMS

Image = NDArray[np.uint8]

FLIP_AXES = {'horizontal': 1, 'vertical': 0, 'diagonal': -1}
SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13

# Operations whose result at a pixel depends on its value alone.
POINTWISE = (
    auto_augment.Brightness,
    auto_augment.Posterize,
    auto_augment.Solarize,
    auto_augment.SolarizeAdd,
)


def _identity() -> Image:
    return np.arange(256, dtype=np.uint8)


def _look_up(image: Image, table: Image) -> Image:
    """Map the values of (H, W, 3) by a table (256,), or (1, 256, 3) for one per channel."""
    return cast(Image, cv2.LUT(image, table.reshape(1, 256, -1)))


def _histogram(image: Image, channel: int) -> NDArray[np.int64]:
    # cv2 counts in integers and gives float32, exact below 2^24 pixels of one value.
    return cv2.calcHist([image], [channel], None, [256], [0, 256]).ravel().astype(np.int64)


def auto_contrast_table(histogram: NDArray[np.int64]) -> Image:
    """Compute the look-up table (256,) that stretches the values of one channel to 0..255.

    Args:
        histogram: Number of pixels of each value, shape (256,).
    """
    values = np.flatnonzero(histogram)
    low, high = int(values[0]), int(values[-1])
    if low >= high:
        return _identity()
    scale = 255.0 / (high - low)
    return np.clip(_identity() * scale - low * scale, 0, 255).astype(np.uint8)


def equalize_table(histogram: NDArray[np.int64]) -> Image:
    """Compute the look-up table (256,) that flattens the histogram of one channel.

    Args:
        histogram: Number of pixels of each value, shape (256,).
    """
    step = int(histogram.sum() - histogram[np.flatnonzero(histogram)[-1]]) // 255
    if step == 0:
        return _identity()
    table = (np.cumsum(histogram) + step // 2) // step
    return np.concatenate([[0], table[:-1]]).clip(max=255).astype(np.uint8)


# Operations whose result at a pixel depends on its value and the histogram of its channel.
TABLES = {auto_augment.AutoContrast: auto_contrast_table, auto_augment.Equalize: equalize_table}


def per_channel(image: Image, make_table: Callable[[NDArray[np.int64]], Image]) -> Image:
    """Map each channel of (H, W, 3) by the table of its histogram."""
    tables = [make_table(_histogram(image, channel)) for channel in range(3)]
    return _look_up(image, np.stack(tables, axis=-1)[None])


def adjust_contrast(image: Image, factor: float) -> Image:
    """Compute ``factor * image + (1 - factor) * mean`` with the mean of the grey image."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    mean = np.full(256, round(grey.sum() / grey.size), dtype=np.float32)
    table = cv2.addWeighted(_identity().astype(np.float32), factor, mean, 1 - factor, 0)
    return _look_up(image, np.clip(table, 0, 255).astype(np.uint8))


def adjust_sharpness(image: Image, factor: float) -> Image:
    """Compute ``factor * image + (1 - factor) * smooth`` with Pillow's SMOOTH filter, truncated."""
    smooth = cv2.filter2D(image, -1, SMOOTH)
    blend = cv2.addWeighted(image, factor, smooth, 1 - factor, 0, dtype=cv2.CV_32F)
    return np.clip(blend, 0, 255, out=blend).astype(np.uint8)


# Operations with a magnitude of random sign.
BLENDS = {auto_augment.Contrast: adjust_contrast, auto_augment.Sharpness: adjust_sharpness}


def _pointwise(op: BaseTransform, image: Image) -> Image:
    """Run the framework's operation on a ramp of the 256 values, then look the pixels up."""
    ramp = np.repeat(_identity().reshape(16, 16, 1), 3, axis=2)
    table = op({'img': ramp})['img'][..., 0].reshape(256)
    return image if np.array_equal(table, _identity()) else _look_up(image, table)


def fast_operation(op: BaseTransform, image: Image) -> Image | None:
    """Apply ``op`` to a uint8 image (H, W, 3) by a fast equivalent; ``None`` if there is none.

    Random numbers are drawn as ``op`` itself draws them, in the same order.
    """
    kind = type(op)  # a subclass may do something else
    if kind in POINTWISE:
        return _pointwise(op, image)
    if kind not in TABLES and kind not in BLENDS:
        return None
    if op.random_disable():
        return image
    if kind in TABLES:
        return per_channel(image, TABLES[kind])
    magnitude = op.random_magnitude() if op.magnitude is None else op.magnitude
    return BLENDS[kind](image, 1 + op.random_negative(magnitude))


@TRANSFORMS.register_module()
class RandAugment(auto_augment.RandAugment):
    """Apply MMPretrain's ``RandAugment``, faster on uint8 images of shape (H, W, 3).

    Arguments, random numbers and pixels are the same. Seven of the fifteen ``timm_increasing``
    operations run as look-up tables, and sharpness with fewer copies; other operations, and other
    images, fall back on MMPretrain's code.
    """

    def transform(self, results: dict) -> dict | None:
        """Apply the sampled operations in turn."""
        for index in self.random_policy_indices():
            op, image = self.transforms[index], results['img']
            eight_bit = image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
            # a flipped image is a view, which cv2 would copy at every call
            fast = fast_operation(op, np.ascontiguousarray(image)) if eight_bit else None
            results = op(results) if fast is None else {**results, 'img': fast}
            if results is None:
                return None
        return results


@TRANSFORMS.register_module()
class Cutout(auto_augment.Cutout):
    """Apply MMPretrain's ``Cutout`` (DeVries and Taylor, arXiv:1708.04552), faster.

    Arguments, random numbers and pixels are the same; MMCV's function allocates a second image
    for the fill.
    """

    def transform(self, results: dict) -> dict:
        """Fill one rectangle of a copy of ``img``."""
        if self.random_disable():
            return results
        shape = int(self.random_magnitude()) if self.shape is None else self.shape
        height, width = (shape, shape) if isinstance(shape, int) else shape
        image = results['img'].copy()
        top = int(max(0, np.random.uniform(image.shape[0]) - height / 2))
        left = int(max(0, np.random.uniform(image.shape[1]) - width / 2))
        hole = image[top : top + height, left : left + width]
        if isinstance(self.pad_val, tuple):
            for channel, value in enumerate(self.pad_val):  # one value at a time fills fast
                hole[..., channel] = value
        else:
            hole[...] = self.pad_val
        return {**results, 'img': image}


@TRANSFORMS.register_module()
class RandomFlip(FrameworkRandomFlip):
    """Apply MMCV's ``RandomFlip``, faster, with the same arguments, random numbers and pixels.

    MMCV returns a view with negative strides, which the next transform has to copy value by
    value; cv2 writes the flipped image at the speed of a plain copy.
    """

    def _flip(self, results: dict) -> None:
        image = results['img']
        super()._flip(results)  # boxes and maps too
        if image.dtype == np.uint8:
            results['img'] = cv2.flip(image, FLIP_AXES[results['flip_direction']])


def split_planes(image: np.ndarray) -> torch.Tensor:
    """Transpose an image (H, W, 3) to a new tensor (3, H, W); cv2 is faster than torch here."""
    height, width, channels = image.shape
    planes = np.empty((channels, height, width), dtype=image.dtype)
    cv2.split(np.ascontiguousarray(image), list(planes))  # a flipped image is a view
    return torch.from_numpy(planes)


@TRANSFORMS.register_module()
class PackInputs(formatting.PackInputs):
    """Apply MMPretrain's ``PackInputs``, faster on 8-bit colour, with the same result."""

    @staticmethod
    def format_input(input_: Any) -> Any:
        """Convert an image, or a list of images, to tensors."""
        is_colour = isinstance(input_, np.ndarray) and input_.ndim == 3 and input_.shape[2] == 3
        if is_colour and input_.dtype == np.uint8:
            return split_planes(input_)
        return formatting.PackInputs.format_input(input_)
