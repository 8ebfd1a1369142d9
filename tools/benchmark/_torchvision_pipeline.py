"""The input pipeline of Q2L and ASL, rebuilt: Pillow images and torchvision's functions.

The random decisions come from the transforms of an MMPretrain pipeline, in their order, so that
with the same seed both pipelines do the same operations at the same magnitudes. Two things differ,
as in those projects: Pillow's resize filters before it reduces, and rotation, shear and
translation take the nearest pixel (``timm_increasing`` shears bicubically, which costs more).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torchvision.transforms import functional as F

Step = tuple[str, Callable[[Any], Any]]

FILL = [128] * 3


def _affine(
    image: Image.Image, translate: Sequence[int] = (0, 0), shear: Sequence[float] = (0, 0)
) -> Image.Image:
    return F.affine(image, 0, list(translate), 1, list(shear), fill=FILL, center=[0, 0])


def _shear(image: Image.Image, magnitude: float, op: Any) -> Image.Image:
    degrees = -math.degrees(math.atan(magnitude))
    return _affine(image, shear=(degrees, 0) if op.direction == 'horizontal' else (0, degrees))


def _translate(image: Image.Image, magnitude: float, op: Any) -> Image.Image:
    if op.direction == 'horizontal':
        return _affine(image, translate=(round(magnitude * image.width), 0))
    return _affine(image, translate=(0, round(magnitude * image.height)))


def _solarize_add(image: Image.Image, magnitude: float, op: Any) -> Image.Image:
    table = [min(255, int(value + magnitude)) if value < op.thr else value for value in range(256)]
    return image.point(table * 3)


# (image, magnitude, MMPretrain's operation) -> image
OPERATIONS: dict[str, Callable[[Image.Image, float, Any], Image.Image]] = {
    'AutoContrast': lambda image, _, op: F.autocontrast(image),
    'Equalize': lambda image, _, op: F.equalize(image),
    'Invert': lambda image, _, op: F.invert(image),
    'Rotate': lambda image, angle, op: F.rotate(image, -angle, fill=FILL),
    'Posterize': lambda image, bits, op: F.posterize(image, math.ceil(bits)),
    'Solarize': lambda image, thr, op: F.solarize(image, thr),
    'SolarizeAdd': _solarize_add,
    'ColorTransform': lambda image, magnitude, op: F.adjust_saturation(image, 1 + magnitude),
    'Contrast': lambda image, magnitude, op: F.adjust_contrast(image, 1 + magnitude),
    'Brightness': lambda image, magnitude, op: F.adjust_brightness(image, 1 + magnitude),
    'Sharpness': lambda image, magnitude, op: F.adjust_sharpness(image, 1 + magnitude),
    'Shear': _shear,
    'Translate': _translate,
}
UNSIGNED = ('Posterize', 'Solarize', 'SolarizeAdd')


def operate(op: Any, image: Image.Image) -> Image.Image:
    """Apply an operation of MMPretrain's ``RandAugment`` to a Pillow image."""
    name = type(op).__name__
    if op.random_disable():
        return image
    magnitude = 0.0 if op.magnitude_range is None else op.random_magnitude()
    if op.magnitude_range is not None and name not in UNSIGNED:
        magnitude = op.random_negative(magnitude)
    return OPERATIONS[name](image, magnitude, op)


def _rand_augment(image: Image.Image, transform: Any) -> Image.Image:
    for index in transform.random_policy_indices():
        image = operate(transform.transforms[index], image)
    return image


def _cutout(image: Image.Image, transform: Any) -> Image.Image:
    """Fill one square of ``transform.shape`` px, as CutoutPIL of ASL does."""
    if transform.random_disable():
        return image
    side = transform.shape
    top = int(max(0, np.random.uniform(image.height) - side / 2))
    left = int(max(0, np.random.uniform(image.width) - side / 2))
    image = image.copy()
    ImageDraw.Draw(image).rectangle(
        (left, top, left + side - 1, top + side - 1), fill=tuple(transform.pad_val[::-1])
    )
    return image


# (image or results dict, MMPretrain's transform) -> image
STEPS: dict[str, Callable[[Any, Any], Image.Image]] = {
    'LoadImage': lambda results, _: Image.open(results['img_path']).convert('RGB'),
    'Resize': lambda image, transform: F.resize(image, list(transform.scale[::-1])),
    'RandomFlip': lambda image, transform: (
        image if transform._choose_direction() is None else F.hflip(image)
    ),
    'Cutout': _cutout,
    'RandAugment': _rand_augment,
}


def mirror(transforms: Sequence[Any], mean: Sequence[float], std: Sequence[float]) -> list[Step]:
    """Rebuild a pipeline on Pillow images, each step under the name of its transform.

    Args:
        transforms: Built transforms, ``PackInputs`` the last.
        mean: Mean of red, green and blue, 0 to 255.
        std: Standard deviation of red, green and blue, 0 to 255.

    Returns:
        Steps from ``{'img_path': ...}`` to a normalised float tensor (3, H, W).

    Raises:
        ValueError: A transform has no counterpart here.
    """
    steps: list[Step] = []
    for transform in transforms[:-1]:
        name = type(transform).__name__
        if name not in STEPS:
            raise ValueError(f'no Pillow version of the transform {name}, only of {list(STEPS)}')
        steps.append((name, lambda image, step=STEPS[name], owner=transform: step(image, owner)))
    mean, std = (torch.tensor(values).div(255).tolist() for values in (mean, std))
    return [
        *steps,
        ('PackInputs', F.to_tensor),
        ('normalise', lambda tensor: F.normalize(tensor, mean, std)),
    ]
