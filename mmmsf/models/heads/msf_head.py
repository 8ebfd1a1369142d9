"""Head of the three-branch multi-scale Transformer (Eq 6-11)."""

from collections.abc import Sequence
from functools import partial
from typing import cast

import torch
from mmengine.registry import MODELS as ROOT_MODELS
from mmpretrain.models.heads import MultiLabelClsHead
from torch import Tensor, nn

from mmmsf.models.layers import Decoder, Encoder, GroupLinear, LearnedPositionEncoding
from mmmsf.models.layers.group_linear import split_classes
from mmmsf.registry import MODELS

from .attention_maps import weights_to_maps

POSITION_MODES = ('input', 'attention')
QUERY_MODES = ('first', 'attention')


@MODELS.register_module()
class MSFHead(MultiLabelClsHead):
    """Encode each scale's tokens, query them by label embeddings, fuse and score.

    All branches share one encoder and one decoder. With the defaults this is
    the network of Zhong et al., "Multi-Scale Feature Fusion and Advanced
    Representation Learning for Multi Label Image Classification", CMC 82(3),
    2025 (profile ``paper``). The first author's code (profile ``authors``) is
    ``position_mode='attention', query_mode='attention', act_cfg=dict(type='GELU'),
    thr=0.715``.

    Args:
        num_classes: classes K.
        embed_dims: channels C of the maps and tokens.
        num_scales: number of maps S that the neck makes.
        num_heads: attention heads.
        feedforward_channels: hidden channels of the feed-forward parts.
        num_encoder_layers: encoder layers m (Fig 5); 0 leaves out the global
            enhancement (Table 4).
        num_decoder_layers: decoder layers n (Fig 5); 0 leaves out the region
            selection (Table 4): each branch's tokens are averaged instead.
        decoder_self_attn: which decoder layers let the queries attend to each
            other first: ``'none'``, ``'first'``, ``'rest'``, ``'all'`` (Table 7).
        share_branches: one encoder and decoder for all scales, or one each.
        position_mode: ``'input'`` adds the position encoding once to the tokens
            (Eq 6); ``'attention'`` adds it to the queries and keys of every
            encoder layer and to the keys of every cross-attention.
        query_mode: ``'first'`` makes the label embedding the first query
            (Eq 10); ``'attention'`` starts from zero and adds it to the query
            of every cross-attention.
        num_positions: entries of each position table.
        num_groups: queries of each scale K' (as in ML-Decoder); a query and its
            label embedding serve ceil(K / num_groups) neighbouring classes.
            None, like a number above K, gives every class its own (the paper);
            groups that would be left without a class are not made. Without
            decoder there are no queries to group.
        dropout: dropout probability of encoder and decoder.
        act_cfg: activation of the feed-forward parts.
        **kwargs: ``loss``, ``thr``, ``topk`` and ``init_cfg`` of MMPretrain's
            ``MultiLabelClsHead``. The loss defaults to Eq 12; it is summed over
            classes and averaged over images.

    Raises:
        ValueError: an argument is outside the values above.
    """

    def __init__(
        self,
        num_classes: int,
        embed_dims: int = 512,
        num_scales: int = 3,
        num_heads: int = 4,
        feedforward_channels: int = 2048,
        num_encoder_layers: int = 2,
        num_decoder_layers: int = 3,
        decoder_self_attn: str = 'none',
        share_branches: bool = True,
        position_mode: str = 'input',
        query_mode: str = 'first',
        num_positions: int = 50,
        num_groups: int | None = None,
        dropout: float = 0.0,
        act_cfg: dict | None = None,
        **kwargs: object,
    ) -> None:
        kwargs.setdefault('loss', dict(type='mmmsf.AsymmetricLoss'))
        super().__init__(**kwargs)
        for name, value, low in (
            ('num_scales', num_scales, 1),
            ('num_encoder_layers', num_encoder_layers, 0),
            ('num_decoder_layers', num_decoder_layers, 0),
        ):
            if value < low:
                raise ValueError(f'`{name}` must be at least {low}, got {value}')
        if position_mode not in POSITION_MODES:
            raise ValueError(
                f'`position_mode` must be one of {POSITION_MODES}, got {position_mode!r}'
            )
        if num_groups is not None and not num_decoder_layers:
            raise ValueError(
                '`num_groups` groups the queries of the decoder: it must be None '
                f'with num_decoder_layers=0, got {num_groups}'
            )
        if query_mode not in QUERY_MODES:
            raise ValueError(f'`query_mode` must be one of {QUERY_MODES}, got {query_mode!r}')
        self.num_classes = num_classes
        self.has_attention = num_decoder_layers > 0  # see contract.py
        self.group_size, self.num_queries = split_classes(num_classes, num_groups)
        self.embed_dims = embed_dims
        self.num_scales = num_scales
        self.position_mode = position_mode
        self.query_mode = query_mode
        self.share_branches = share_branches

        layer_args = (
            embed_dims,
            num_heads,
            feedforward_channels,
            partial(ROOT_MODELS.build, act_cfg or dict(type='ReLU')),
            dropout,
        )
        copies = 1 if share_branches else num_scales
        self.encoders = nn.ModuleList(
            Encoder(num_encoder_layers, *layer_args) for _ in range(copies)
        )
        self.decoders: nn.ModuleList | None = None
        if num_decoder_layers:
            self.decoders = nn.ModuleList(
                Decoder(num_decoder_layers, *layer_args, decoder_self_attn) for _ in range(copies)
            )
            self.label_embed = nn.Parameter(torch.randn(num_scales, self.num_queries, embed_dims))
        self.position: LearnedPositionEncoding | None = None
        if position_mode == 'input' or num_encoder_layers or num_decoder_layers:
            self.position = LearnedPositionEncoding(embed_dims, num_scales, num_positions)
        self.fc = GroupLinear(num_classes, num_scales * embed_dims, num_groups)

    def _check_inputs(self, feats: Sequence[Tensor]) -> None:
        got = [tuple(x.shape) for x in feats]
        if len(feats) != self.num_scales:
            raise ValueError(
                f'MSFHead was built with num_scales={self.num_scales}, but the neck '
                f'gave {len(feats)} maps of shapes {got}. Set `num_scales` to the '
                "number of the neck's `scales`."
            )
        if any(x.dim() != 4 or x.shape[1] != self.embed_dims for x in feats):
            raise ValueError(
                f'MSFHead takes maps of shape (B, {self.embed_dims}, h, w) '
                f'(embed_dims={self.embed_dims}), but the neck gave shapes {got}.'
            )

    def _tokenize(self, feats: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor] | None]:
        """Maps to tokens (B, h*w, C) and, in mode ``'attention'``, positions (1, h*w, C)."""
        tokens = [x.flatten(2).transpose(1, 2) for x in feats]  # (B, h*w, C)
        if self.position is None:
            return tokens, None
        encodings = self.position([(x.shape[-2], x.shape[-1]) for x in feats])
        if self.position_mode == 'input':
            return [x + pos for x, pos in zip(tokens, encodings, strict=True)], None
        return tokens, [pos[None] for pos in encodings]

    def _encode(self, feats: Sequence[Tensor]) -> list[tuple[Tensor, list[int], Tensor | None]]:
        """Encode the branches, those that share weights side by side.

        Args:
            feats: ``num_scales`` maps (B, C, h_i, w_i).

        Returns:
            For each encoder its tokens (B, N, C), the number of tokens of each branch, and in
            mode ``'attention'`` their positions (1, N, C).
        """
        tokens, positions = self._tokenize(feats)
        step = self.num_scales if self.share_branches else 1
        encoded = []
        for group, encoder in enumerate(self.encoders):
            part = slice(group * step, (group + 1) * step)
            sizes = [x.shape[1] for x in tokens[part]]
            pos = None if positions is None else torch.cat(positions[part], dim=1)  # (1, N, C)
            encoded.append((encoder(torch.cat(tokens[part], dim=1), sizes, pos), sizes, pos))
        return encoded

    def _queries(self, group: int) -> tuple[Tensor, Tensor | None, list[int]]:
        """First queries of a decoder's branches (1, Q, C), what every cross-attention adds to
        them, and the queries of each branch.
        """
        step = self.num_scales if self.share_branches else 1
        labels = self.label_embed[group * step : (group + 1) * step].flatten(0, 1)[
            None
        ]  # (1, Q, C)
        sizes = [self.num_queries] * step
        if self.query_mode == 'attention':
            return torch.zeros_like(labels), labels, sizes
        return labels, None, sizes

    def pre_logits(self, feats: Sequence[Tensor]) -> Tensor:
        """Features of every class (with ``num_groups``, of every group), branches side by side.

        Args:
            feats: ``num_scales`` maps (B, C, h_i, w_i).

        Returns:
            Z of shape (B, K, S * C) (Eq 11), with K' rows for K' groups, or
            (B, 1, S * C) without decoder.

        Raises:
            ValueError: number or channels of the maps are not as configured.
        """
        self._check_inputs(feats)
        branches: list[Tensor] = []
        for group, (memory, sizes, pos) in enumerate(self._encode(feats)):
            if self.decoders is None:
                branches += [x.mean(dim=1, keepdim=True) for x in memory.split(sizes, dim=1)]
                continue
            query, query_pos, query_sizes = self._queries(group)
            out = self.decoders[group](query, memory, query_sizes, sizes, query_pos, pos)
            branches += out.split(query_sizes, dim=1)
        return torch.cat(branches, dim=-1)

    def attention_maps(self, feats: Sequence[Tensor], layer: int = -1) -> list[Tensor]:
        """Where each class looks: a decoder layer's cross-attention, averaged over the heads.

        Computed on demand beside the fused attention, so it costs extra time and memory.

        Args:
            feats: ``num_scales`` maps (B, C, h_i, w_i).
            layer: number of the decoder layer, by default the last.

        Returns:
            For each scale (B, K, h_i, w_i); each map sums to one. The classes of
            a group have the same map.

        Raises:
            ValueError: the head has no decoder or no such layer, or the maps are not as
                configured.
        """
        if self.decoders is None:
            raise ValueError('a head with num_decoder_layers=0 has no cross-attention to show')
        self._check_inputs(feats)
        weights: list[Tensor] = []
        for group, (memory, sizes, pos) in enumerate(self._encode(feats)):
            query, query_pos, query_sizes = self._queries(group)
            weights += cast(Decoder, self.decoders[group]).attention_weights(
                query, memory, query_sizes, sizes, query_pos, pos, layer
            )
        maps = weights_to_maps(weights, [(x.shape[-2], x.shape[-1]) for x in feats])
        return [x.repeat_interleave(self.group_size, dim=1)[:, : self.num_classes] for x in maps]

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Logits of shape (B, K) for ``num_scales`` maps (B, C, h_i, w_i)."""
        return self.fc(self.pre_logits(feats))
