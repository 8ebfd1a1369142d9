"""Losses."""

from .asymmetric_loss import AsymmetricLoss, asymmetric_loss
from .base import EpochLoss, MultiLabelLoss, losses_with, set_epoch, set_label_counts
from .distribution_balanced_loss import DistributionBalancedLoss, rebalanced_weight
from .hill_loss import HillLoss, hill_loss
from .large_loss import LargeLoss, large_loss
from .masked_loss import MaskedLoss, elementwise_fault
from .polynomial_loss import PolynomialLoss
from .splc_loss import SPLCLoss, splc_loss
from .two_way_loss import TwoWayLoss, two_way_terms

__all__ = [
    'AsymmetricLoss',
    'DistributionBalancedLoss',
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
    'losses_with',
    'rebalanced_weight',
    'set_epoch',
    'set_label_counts',
    'splc_loss',
    'two_way_terms',
]
