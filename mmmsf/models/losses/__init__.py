"""Losses."""

from .asymmetric_loss import AsymmetricLoss, asymmetric_loss

__all__ = ['AsymmetricLoss', 'asymmetric_loss']
