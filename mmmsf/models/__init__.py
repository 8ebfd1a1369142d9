"""Model components: backbones, necks, heads, losses and the plain layers they are made of."""

from .backbones import FeatureInput, FrozenTIMMBackbone
from .grouped_classifier import GroupedClassifier
from .heads import MLDecoderHead, MSFHead, Query2LabelHead
from .losses import (
    AsymmetricLoss,
    DistributionBalancedLoss,
    HillLoss,
    LargeLoss,
    MaskedLoss,
    PolynomialLoss,
    SPLCLoss,
    TwoWayLoss,
)
from .necks import MSFNeck
from .splice_mix import SpliceMix
from .tta import AverageScoreTTA

__all__ = [
    'AsymmetricLoss',
    'AverageScoreTTA',
    'DistributionBalancedLoss',
    'FeatureInput',
    'FrozenTIMMBackbone',
    'GroupedClassifier',
    'HillLoss',
    'LargeLoss',
    'MLDecoderHead',
    'MSFHead',
    'MSFNeck',
    'MaskedLoss',
    'PolynomialLoss',
    'Query2LabelHead',
    'SPLCLoss',
    'SpliceMix',
    'TwoWayLoss',
]
