"""Losses."""

from .asymmetric_loss import AsymmetricLoss, asymmetric_loss
from .masked_loss import MaskedLoss, elementwise_fault
from .polynomial_loss import PolynomialLoss

__all__ = [
    'AsymmetricLoss',
    'MaskedLoss',
    'PolynomialLoss',
    'asymmetric_loss',
    'elementwise_fault',
]
