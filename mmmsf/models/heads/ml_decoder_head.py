"""ML-Decoder: one cross-attention layer over the last map, queried by groups of classes."""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS as ROOT_MODELS
from mmpretrain.models.heads import MultiLabelClsHead
from torch import Tensor, nn

from mmmsf.models.layers import DecoderLayer, branch_attention_weights
from mmmsf.models.layers.attention import BranchTokens
from mmmsf.models.layers.group_fc import GroupFullyConnected
from mmmsf.registry import MODELS

from .attention_maps import weights_to_maps
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

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 2048,
        embed_dims: int = 768,
        num_heads: int = 8,
        feedforward_channels: int = 2048,
        num_groups: int | None = None,
        dropout: float = 0.1,
        act_cfg: dict | None = None,
        **kwargs: object,
    ) -> None:
        kwargs.setdefault('loss', dict(type='mmmsf.AsymmetricLoss'))
        super().__init__(**kwargs)
        if in_channels < 1:
            raise ValueError(f'`in_channels` must be at least 1, got {in_channels}')
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.embed_dims = embed_dims
        self.fc = GroupFullyConnected(
            num_classes, num_classes if num_groups is None else num_groups, embed_dims
        )
        self.input_proj = nn.Linear(in_channels, embed_dims)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(embed_dims)
        self.layer = DecoderLayer(
            embed_dims,
            num_heads,
            feedforward_channels,
            partial(ROOT_MODELS.build, act_cfg or dict(type='ReLU')),
            dropout,
        )
        self.query: Tensor
        self.register_buffer('query', torch.randn(self.fc.num_groups, embed_dims))

    def _memory(self, feats: Sequence[Tensor]) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Keys and values (B, h*w, C) of the last map, and (h, w)."""
        x = last_map(feats, self.in_channels, type(self).__name__)
        tokens = F.relu(self.input_proj(x.flatten(2).transpose(1, 2)))  # (B, h*w, C)
        key, value = F.linear(tokens, *self.layer.cross_attn.in_proj(1, 3)).chunk(2, dim=-1)
        return key, value, (x.shape[-2], x.shape[-1])

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
        key, value, _ = self._memory(feats)
        query = self.query[None]
        if self.training and self.dropout.p:
            query = query.expand(len(key), -1, -1)  # a mask of its own for every image
        query = self.norm(query + self.dropout(query))
        return self.layer(query, [BranchTokens(key, value)], [self.fc.num_groups])

    def attention_maps(self, feats: Sequence[Tensor], layer: int = -1) -> list[Tensor]:
        """Where each class's group looks; as :meth:`MSFHead.attention_maps`, with a single scale.

        Returns:
            One map (B, K, h, w) that sums to one; the classes of a group have the same map.

        Raises:
            ValueError: ``layer`` is neither 0 nor -1: there is one layer.
        """
        if layer not in (0, -1):
            raise ValueError(f'`layer` must be 0 or -1, MLDecoderHead has one layer, got {layer}')
        key, _, (h, w) = self._memory(feats)
        _, query = self.layer.project_query(self.norm(self.query[None]), [self.fc.num_groups], None)
        weights = branch_attention_weights(
            query, key, [self.fc.num_groups], [h * w], self.layer.cross_attn.num_heads
        )
        maps = weights_to_maps(weights, [(h, w)])[0]  # (B, G, h, w)
        return [maps.repeat_interleave(self.fc.group_size, dim=1)[:, : self.num_classes]]

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Logits of shape (B, K)."""
        return self.fc(self.pre_logits(feats))
