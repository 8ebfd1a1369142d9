"""Pipeline steps that MMCV and MMPretrain lack, or have slower."""

from .cutout import Cutout
from .flip import RandomFlip
from .formatting import PackInputs
from .loading import ImageReadError, LoadImage, decode_image
from .rand_augment import RandAugment

__all__ = ['Cutout', 'ImageReadError', 'LoadImage', 'PackInputs', 'RandAugment', 'RandomFlip',
           'decode_image']
