"""Losses."""

from .asymmetric_loss import AsymmetricLoss, asymmetric_loss
from .base import EpochLoss, MultiLabelLoss, set_epoch
from .hill_loss import HillLoss, hill_loss
from .large_loss import LargeLoss, large_loss
from .masked_loss import MaskedLoss, elementwise_fault
from .polynomial_loss import PolynomialLoss
from .splc_loss import SPLCLoss, splc_loss
from .two_way_loss import TwoWayLoss, two_way_terms

__all__ = [
    'AsymmetricLoss',
    'EpochLoss',
    'HillLoss',
    'LargeLoss',
    'MaskedLoss',
    'MultiLabelLoss',
    'PolynomialLoss',
    'SPLCLoss',
    'TwoWayLoss',
    'asymmetric_loss',
    'elementwise_fault',
    'hill_loss',
    'large_loss',
    'set_epoch',
    'splc_loss',
    'two_way_terms',
]
