"""Model components: necks, heads, losses and the plain layers they are made of."""

from .heads import MSFHead
from .losses import AsymmetricLoss
from .necks import MSFNeck
from .tta import AverageScoreTTA

__all__ = ['AsymmetricLoss', 'AverageScoreTTA', 'MSFHead', 'MSFNeck']
