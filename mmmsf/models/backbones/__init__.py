"""Backbones: what MMPretrain's own do not offer."""

from .frozen_timm import FrozenTIMMBackbone

__all__ = ['FrozenTIMMBackbone']
