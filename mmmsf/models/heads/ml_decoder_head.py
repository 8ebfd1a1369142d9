"""ML-Decoder: one cross-attention layer over the last map, queried by groups of classes."""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS as ROOT_MODELS
from mmpretrain.models.heads import MultiLabelClsHead
from torch import Tensor, nn

from mmmsf.registry import MODELS

from ..layers import DecoderLayer
from ..layers.group_fc import GroupFullyConnected
from .inputs import last_map


@MODELS.register_module()
class MLDecoderHead(MultiLabelClsHead):
    """Let fixed group queries gather from the last map's tokens; score each group's classes.

    Source: Ridnik et al., "ML-Decoder: Scalable and Versatile Classification
    Head", WACV 2023. No encoder, no positions and no self-attention; where the
    self-attention was, a residual stays: norm(q + dropout(q)). The queries
    are drawn once and not learned.

    Args:
        num_classes: classes K.
        in_channels: channels of the backbone's last map.
        embed_dims: channels C of a token.
        num_heads: attention heads.
        feedforward_channels: hidden channels of the feed-forward part.
        num_groups: group queries; each answers for ceil(K / num_groups)
            classes. None gives every class its own; so does a number above K.
            Groups that would be left without a class are not made.
        dropout: dropout probability.
        act_cfg: activation of the feed-forward part.
        **kwargs: ``loss``, ``thr``, ``topk`` and ``init_cfg`` of MMPretrain's
            ``MultiLabelClsHead``. The loss defaults to ``AsymmetricLoss``.

    Raises:
        ValueError: an argument is outside the values above.
    """

    def __init__(self, num_classes: int, in_channels: int = 2048, embed_dims: int = 768,
                 num_heads: int = 8, feedforward_channels: int = 2048,
                 num_groups: int | None = None, dropout: float = 0.1,
                 act_cfg: dict | None = None, **kwargs: object) -> None:
        kwargs.setdefault('loss', dict(type='mmmsf.AsymmetricLoss'))
        super().__init__(**kwargs)
        if in_channels < 1:
            raise ValueError(f'`in_channels` must be at least 1, got {in_channels}')
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.embed_dims = embed_dims
        self.fc = GroupFullyConnected(
            num_classes, num_classes if num_groups is None else num_groups, embed_dims)
        self.input_proj = nn.Linear(in_channels, embed_dims)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(embed_dims)
        self.layer = DecoderLayer(
            embed_dims, num_heads, feedforward_channels,
            partial(ROOT_MODELS.build, act_cfg or dict(type='ReLU')), dropout)
        self.query: Tensor
        self.register_buffer('query', torch.randn(self.fc.num_groups, embed_dims))

    def pre_logits(self, feats: Sequence[Tensor]) -> Tensor:
        """Features of every group.

        Args:
            feats: the backbone's maps; only the last, (B, in_channels, h, w),
                is read.

        Returns:
            (B, G, C).

        Raises:
            ValueError: the last map is not of that shape.
        """
        x = last_map(feats, self.in_channels, type(self).__name__)
        B, _, h, w = x.shape
        tokens = F.relu(self.input_proj(x.flatten(2).transpose(1, 2)))  # (B, h*w, C)
        query = self.query[None]
        if self.training and self.dropout.p:
            query = query.expand(B, -1, -1)  # a mask of its own for every image
        query = self.norm(query + self.dropout(query))
        key, value = F.linear(tokens, *self.layer.cross_attn.in_proj(1, 3)).chunk(2, dim=-1)
        return self.layer(query, key, value, [self.fc.num_groups], [h * w])

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Logits of shape (B, K)."""
        return self.fc(self.pre_logits(feats))
