"""Losses."""

from .asymmetric_loss import AsymmetricLoss, asymmetric_loss
from .polynomial_loss import PolynomialLoss

__all__ = ['AsymmetricLoss', 'PolynomialLoss', 'asymmetric_loss']
