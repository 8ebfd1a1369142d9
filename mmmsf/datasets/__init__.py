"""Datasets and pipeline steps for multi-label classification."""

from . import transforms
from .base import MultiLabelData
from .cached_features import CachedFeatures
from .categories import COCO_CLASSES, VOC_CLASSES
from .class_aware_sampler import ClassAwareSampler
from .coco import CocoMultiLabel
from .csv import CsvMultiLabel
from .digits import ScaledDigits
from .transforms import ImageReadError, LoadImage, decode_image
from .voc import VocMultiLabel

__all__ = [
    'COCO_CLASSES',
    'VOC_CLASSES',
    'CachedFeatures',
    'ClassAwareSampler',
    'CocoMultiLabel',
    'CsvMultiLabel',
    'ImageReadError',
    'LoadImage',
    'MultiLabelData',
    'ScaledDigits',
    'VocMultiLabel',
    'decode_image',
    'transforms',
]
