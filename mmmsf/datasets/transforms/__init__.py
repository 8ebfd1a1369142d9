"""Pipeline steps that MMCV and MMPretrain lack."""

from .loading import ImageReadError, LoadImage, decode_image

__all__ = ['ImageReadError', 'LoadImage', 'decode_image']
