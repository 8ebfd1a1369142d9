"""Datasets and pipeline steps for multi-label classification."""

from . import transforms
from .base import MultiLabelData
from .categories import COCO_CLASSES, VOC_CLASSES
from .coco import CocoMultiLabel
from .digits import ScaledDigits
from .transforms import ImageReadError, LoadImage, decode_image

__all__ = [
    'COCO_CLASSES', 'VOC_CLASSES', 'CocoMultiLabel', 'ImageReadError', 'LoadImage',
    'MultiLabelData', 'ScaledDigits', 'decode_image', 'transforms',
]
