"""Necks: from a backbone's feature maps to the maps a head reads."""

from .msf_neck import MSFNeck

__all__ = ['MSFNeck']
