"""Scaled digits, the embedded data set."""

from .scaled_digits import ScaledDigits

__all__ = ['ScaledDigits']
