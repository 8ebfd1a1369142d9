"""Pipeline steps that MMCV and MMPretrain lack, or have slower."""

from .fast import Cutout, PackInputs, RandAugment, RandomFlip
from .loading import ImageReadError, LoadImage, decode_image

__all__ = [
    'Cutout',
    'ImageReadError',
    'LoadImage',
    'PackInputs',
    'RandAugment',
    'RandomFlip',
    'decode_image',
]
