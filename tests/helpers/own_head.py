"""A head of one's own, as the README shows it."""

from mmpretrain.models.heads import MultiLabelClsHead
from mmpretrain.registry import MODELS
from torch import nn


@MODELS.register_module()
class MaxPoolHead(MultiLabelClsHead):
    def __init__(self, num_classes, in_channels, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.conv = nn.Conv2d(in_channels, num_classes, 1)

    def forward(self, feats):  # logits (B, K)
        return self.conv(feats[-1]).amax(dim=(-2, -1))

    def attention_maps(self, feats, layer=-1):  # optional
        scores = self.conv(feats[-1])  # (B, K, h, w)
        return [scores.flatten(2).softmax(dim=-1).view_as(scores)]
