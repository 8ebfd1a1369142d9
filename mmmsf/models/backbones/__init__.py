"""Backbones that MMPretrain lacks."""

from .frozen_timm import FrozenTIMMBackbone

__all__ = ['FrozenTIMMBackbone']
