"""Backbones that MMPretrain lacks."""

from .feature_input import FeatureInput
from .frozen_timm import FrozenTIMMBackbone

__all__ = ['FeatureInput', 'FrozenTIMMBackbone']
