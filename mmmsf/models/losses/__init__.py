"""Losses."""

from .asymmetric_loss import AsymmetricLoss, asymmetric_loss
from .masked_loss import MaskedLoss, elementwise_fault

__all__ = ['AsymmetricLoss', 'MaskedLoss', 'asymmetric_loss', 'elementwise_fault']
