"""ML-Decoder: one cross-attention layer over the last map, queried by groups of classes."""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS as ROOT_MODELS
from mmpretrain.models.heads import MultiLabelClsHead
from torch import Tensor, nn

from mmmsf.models.layers import (
    DecoderLayer,
    GroupFullyConnected,
    branch_attention_weights,
    split_branches,
)
from mmmsf.registry import MODELS

from .attention_maps import weights_to_maps
from .inputs import last_map


@MODELS.register_module()
class MLDecoderHead(MultiLabelClsHead):
    """Decode the last map's tokens by fixed group queries; score each group's classes.

    Source: Ridnik et al., "ML-Decoder: Scalable and Versatile Classification
    Head", WACV 2023. It has no encoder, no positions and no self-attention; in place of the
    self-attention a residual remains: norm(q + dropout(q)). The queries are drawn once and not
    learned.

    Args:
        num_classes: Number of classes K.
        in_channels: Channels of the backbone's last map.
        embed_dims: Number of channels C of a token.
        num_heads: Number of attention heads H.
        feedforward_channels: Number of hidden channels of the feed-forward part.
        num_groups: Number of group queries; each serves ceil(K / num_groups) classes. None, like a
            number above K, gives every class its own; groups without a class are not made.
        dropout: Dropout probability.
        act_cfg: Activation of the feed-forward part.
        **kwargs: ``loss``, ``thr``, ``topk`` and ``init_cfg`` of MMPretrain's
            ``MultiLabelClsHead``. The loss defaults to ``AsymmetricLoss``.

    Raises:
        ValueError: An argument is outside the values above.
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
        self.fc = GroupFullyConnected(num_classes, num_groups, embed_dims)
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

    def _memory(
        self, feats: Sequence[Tensor]
    ) -> tuple[list[tuple[Tensor, Tensor]], tuple[int, int]]:
        """Project the last map to key and value (B, H, h * w, C / H); return them and (h, w)."""
        x = last_map(feats, self.in_channels, type(self).__name__)
        _, _, h, w = x.shape
        tokens = F.relu(self.input_proj(x.flatten(2).transpose(1, 2)))  # (B, h * w, C)
        attention = self.layer.cross_attn
        projected = F.linear(tokens, *attention.kv_proj)  # (B, h * w, 2 * C)
        ((key, value),) = split_branches(projected, [h * w], attention.num_heads, 2)
        return [(key, value)], (h, w)

    def _first_query(self, batch_size: int) -> Tensor:
        """Make the decoder layer's queries (1, G, C), with dropout (B, G, C)."""
        query = self.query[None]
        if self.training and self.dropout.p:
            query = query.expand(batch_size, -1, -1)  # one dropout mask for each image
        return self.norm(query + self.dropout(query))

    def pre_logits(self, feats: Sequence[Tensor]) -> Tensor:
        """Compute features of every group.

        Args:
            feats: The backbone's maps; only the last, (B, in_channels, h, w), is read.

        Returns:
            Features (B, G, C).

        Raises:
            ValueError: The last map is not of that shape.
        """
        memory, _ = self._memory(feats)
        query = self._first_query(len(feats[-1]))
        return self.layer(query, memory, [self.fc.num_groups])

    def attention_maps(self, feats: Sequence[Tensor], layer: int = -1) -> list[Tensor]:
        """Compute the cross-attention of each class's group, averaged over the heads.

        Args:
            feats: The backbone's maps; only the last, (B, in_channels, h, w), is read.
            layer: Index of the decoder layer, 0 or -1.

        Returns:
            One map (B, K, h, w) that sums to one; the classes of a group have the same map.

        Raises:
            ValueError: ``layer`` is neither 0 nor -1: there is one layer.
        """
        if layer not in (0, -1):
            raise ValueError(f'`layer` must be 0 or -1, MLDecoderHead has one layer, got {layer}')
        ((key, _),), size = self._memory(feats)
        first = self._first_query(len(key))
        _, (query,) = self.layer.project_query(first, [self.fc.num_groups])
        maps = weights_to_maps(branch_attention_weights([(query, key)]), [size])[0]  # (B, G, h, w)
        return [maps.repeat_interleave(self.fc.group_size, dim=1)[:, : self.num_classes]]

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Compute logits (B, K)."""
        return self.fc(self.pre_logits(feats))
