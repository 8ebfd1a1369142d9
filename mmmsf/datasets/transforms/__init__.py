"""Pipeline steps: safe image loading, and faster versions of MMCV's and MMPretrain's steps."""

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
