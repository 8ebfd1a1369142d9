"""Head of the three-branch multi-scale Transformer (Eq 6-11)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

import torch
from mmengine.registry import MODELS as ROOT_MODELS
from mmpretrain.models.heads import MultiLabelClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmmsf.models.layers import (
    ClassPooling,
    Decoder,
    Encoder,
    GroupLinear,
    LearnedPositionEncoding,
    split_classes,
)
from mmmsf.models.profiles import HEAD_PROFILES, expand_profile
from mmmsf.registry import MODELS

from .attention_maps import activation_maps, weights_to_maps
from .inputs import scale_maps

POSITION_MODES = ('input', 'attention')
QUERY_MODES = ('first', 'attention')


def _check_arguments(num_scales: int, num_groups: int | None, choice: Mapping[str, Any]) -> None:
    """Check arguments of :class:`MSFHead`, those of the profile in ``choice``."""
    for name, value, low in (
        ('num_scales', num_scales, 1),
        ('num_encoder_layers', choice['num_encoder_layers'], 0),
        ('num_decoder_layers', choice['num_decoder_layers'], 0),
    ):
        if value < low:
            raise ValueError(f'`{name}` must be at least {low}, got {value}')
    for name, modes in (('position_mode', POSITION_MODES), ('query_mode', QUERY_MODES)):
        if choice[name] not in modes:
            raise ValueError(f'`{name}` must be one of {modes}, got {choice[name]!r}')
    if num_groups is not None and not choice['num_decoder_layers']:
        raise ValueError(
            '`num_groups` groups the queries of the decoder: it must be None '
            f'with num_decoder_layers=0, got {num_groups}'
        )


@MODELS.register_module()
class MSFHead(MultiLabelClsHead):
    """Encode each scale's tokens, query them by label embeddings, fuse and score.

    With the defaults this is the network of Zhong et al., "Multi-Scale Feature Fusion and Advanced
    Representation Learning for Multi Label Image Classification", CMC 82(3), 2025. ``profile``
    selects another network; an argument that is not None overrides it:

    ====================  ===========  ==============  =========
    argument              ``paper``    ``authors``     ``ours``
    ====================  ===========  ==============  =========
    num_encoder_layers    2            2               0
    num_decoder_layers    3            3               1
    position_mode         input        attention       input
    query_mode            first        attention       first
    act_cfg               ReLU         GELU            ReLU
    dropout               0            0               0.1
    branch_loss           False        False           True
    thr                   0.5          0.715           0.5
    ====================  ===========  ==============  =========

    The final layer is linear, so its logits are the mean of one score for each branch: S times the
    branch's part of the sum, plus the bias. With ``branch_loss`` each of these predictors is
    trained by a loss of its own as well; the logits do not change. ``pooling_channels`` adds a
    predictor of another kind, linear in a map of the backbone.

    Args:
        num_classes: Number of classes K.
        embed_dims: Number of channels C of the maps and tokens.
        num_scales: Number of maps S that the neck makes.
        num_heads: Number of attention heads.
        feedforward_channels: Number of hidden channels of the feed-forward parts.
        num_encoder_layers: Number of encoder layers m (Fig 5); 0 leaves out the global
            enhancement (Table 4).
        num_decoder_layers: Number of decoder layers n (Fig 5); 0 leaves out the region selection
            (Table 4): each branch's tokens are averaged instead.
        decoder_self_attn: Decoder layers in which the queries first attend to each other:
            ``'none'``, ``'first'``, ``'rest'``, ``'all'`` (Table 7).
        share_branches: If True, all scales share one encoder and decoder; else each has its own.
        position_mode: ``'input'`` adds the position encoding once to the tokens (Eq 6);
            ``'attention'`` adds it to the queries and keys of every encoder layer and to the keys
            of every cross-attention.
        query_mode: ``'first'`` makes the label embedding the first query (Eq 10); ``'attention'``
            starts from zero and adds it to the query of every cross-attention.
        num_positions: Number of entries of each position table.
        num_groups: Number of queries of each scale K' (as in ML-Decoder); a query and its label
            embedding serve ceil(K / num_groups) neighbouring classes. None, like a number above
            K, gives every class its own (the paper); groups without a class are not made. Only
            with a decoder.
        dropout: Dropout probability of encoder and decoder.
        act_cfg: Activation of the feed-forward parts.
        branch_loss: If True, train on half the loss of the logits plus half the mean loss of the
            predictors, the branches and the pooling; else on the loss of the logits.
        pooling_channels: Channels of one more map, the last of the inputs (``passthrough`` of the
            neck), which :class:`ClassPooling` scores; the logits are then the mean of its scores
            and those of the S branches. None makes no such predictor.
        pooling_weight: Weight of the attention in the pooling.
        profile: ``'paper'``, ``'authors'`` (the first author's code) or ``'ours'``, see
            :mod:`mmmsf.models.profiles`.
        **kwargs: ``loss``, ``thr``, ``topk`` and ``init_cfg`` of MMPretrain's
            ``MultiLabelClsHead``. The loss defaults to Eq 12; it is summed over classes and
            averaged over images.

    Raises:
        ValueError: An argument is outside the values above.
    """

    def __init__(
        self,
        num_classes: int,
        embed_dims: int = 512,
        num_scales: int = 3,
        num_heads: int = 4,
        feedforward_channels: int = 2048,
        num_encoder_layers: int | None = None,
        num_decoder_layers: int | None = None,
        decoder_self_attn: str = 'none',
        share_branches: bool = True,
        position_mode: str | None = None,
        query_mode: str | None = None,
        num_positions: int = 50,
        num_groups: int | None = None,
        dropout: float | None = None,
        act_cfg: dict | None = None,
        branch_loss: bool | None = None,
        pooling_channels: int | None = None,
        pooling_weight: float = 0.2,
        profile: str = 'paper',
        **kwargs: object,
    ) -> None:
        choice = expand_profile(
            HEAD_PROFILES,
            profile,
            num_encoder_layers=num_encoder_layers,
            num_decoder_layers=num_decoder_layers,
            position_mode=position_mode,
            query_mode=query_mode,
            act_cfg=act_cfg,
            dropout=dropout,
            branch_loss=branch_loss,
            thr=kwargs.get('thr'),
        )
        _check_arguments(num_scales, num_groups, choice)
        if kwargs.get('topk') is None:
            kwargs['thr'] = choice['thr']
        kwargs.setdefault('loss', dict(type='mmmsf.AsymmetricLoss'))
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.has_attention = choice['num_decoder_layers'] > 0  # see contract.py
        self.group_size, self.num_queries = split_classes(num_classes, num_groups)
        self.embed_dims = embed_dims
        self.num_scales = num_scales
        self.share_branches = share_branches
        self.position_mode: str = choice['position_mode']
        self.query_mode: str = choice['query_mode']
        self.branch_loss: bool = choice['branch_loss']

        act = partial(ROOT_MODELS.build, choice['act_cfg'])
        layer_args = (embed_dims, num_heads, feedforward_channels, act, choice['dropout'])
        depth, decoder_depth = choice['num_encoder_layers'], choice['num_decoder_layers']
        copies = 1 if share_branches else num_scales
        self.encoders = nn.ModuleList(Encoder(depth, *layer_args) for _ in range(copies))
        self.decoders: nn.ModuleList | None = None
        if decoder_depth:
            self.decoders = nn.ModuleList(
                Decoder(decoder_depth, *layer_args, decoder_self_attn) for _ in range(copies)
            )
            self.label_embed = nn.Parameter(torch.randn(num_scales, self.num_queries, embed_dims))
        self.position: LearnedPositionEncoding | None = None
        if self.position_mode == 'input' or depth or decoder_depth:
            self.position = LearnedPositionEncoding(embed_dims, num_scales, num_positions)
        self.fc = GroupLinear(num_classes, num_scales * embed_dims, num_groups)
        self.pooling: ClassPooling | None = None
        if pooling_channels is not None:
            self.pooling = ClassPooling(num_classes, pooling_channels, pooling_weight)

    def _scale_maps(self, feats: Sequence[Tensor]) -> Sequence[Tensor]:
        """Check the maps and return those of the scales, without the pooling's."""
        pooled = None if self.pooling is None else self.pooling.weight.shape[1]
        return scale_maps(feats, self.num_scales, self.embed_dims, pooled)

    def _tokenize(self, feats: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor] | None]:
        """Turn maps into tokens and positions.

        Args:
            feats: ``num_scales`` maps (B, C, h_i, w_i).

        Returns:
            For each map its tokens (B, h * w, C); in position mode ``'attention'`` also their
            positions (1, h * w, C), else None.
        """
        tokens = [x.flatten(2).transpose(1, 2) for x in feats]  # (B, h * w, C)
        if self.position is None:
            return tokens, None
        encodings = self.position([(x.shape[-2], x.shape[-1]) for x in feats])  # (h * w, C)
        if self.position_mode == 'input':
            return [x + pos for x, pos in zip(tokens, encodings, strict=True)], None
        return tokens, [pos[None] for pos in encodings]

    def _encode(self, feats: Sequence[Tensor]) -> list[tuple[Tensor, list[int], Tensor | None]]:
        """Encode the branches, those that share weights side by side.

        Args:
            feats: ``num_scales`` maps (B, C, h_i, w_i).

        Returns:
            For each encoder its tokens (B, N, C), the number of tokens of each branch, and in
            position mode ``'attention'`` the positions (1, N, C).
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
        """Make the first queries of a decoder's branches.

        Args:
            group: Index of the decoder.

        Returns:
            Queries (1, Q, C), the positions (1, Q, C) that every cross-attention adds to them or
            None, and the number of queries of each branch.
        """
        step = self.num_scales if self.share_branches else 1
        labels = self.label_embed[group * step : (group + 1) * step]
        labels = labels.flatten(0, 1)[None]  # (1, Q, C)
        sizes = [self.num_queries] * step
        if self.query_mode == 'attention':
            return torch.zeros_like(labels), labels, sizes
        return labels, None, sizes

    def pre_logits(self, feats: Sequence[Tensor]) -> Tensor:
        """Compute features of every class (of every group with ``num_groups``).

        Args:
            feats: ``num_scales`` maps (B, C, h_i, w_i), and the pooling's if there is one.

        Returns:
            Z of shape (B, K, S * C) (Eq 11), the branches side by side; with K' rows for K'
            groups, or (B, 1, S * C) without decoder.

        Raises:
            ValueError: Number or channels of the maps are not as configured.
        """
        branches: list[Tensor] = []
        for group, (memory, sizes, pos) in enumerate(self._encode(self._scale_maps(feats))):
            if self.decoders is None:
                branches += [x.mean(dim=1, keepdim=True) for x in memory.split(sizes, dim=1)]
                continue
            query, query_pos, query_sizes = self._queries(group)
            out = self.decoders[group](query, memory, query_sizes, sizes, query_pos, pos)
            branches += out.split(query_sizes, dim=1)
        return torch.cat(branches, dim=-1)

    def predictor_scores(self, feats: Sequence[Tensor]) -> list[Tensor]:
        """Compute the scores (B, K) of every branch, then of the pooling; the logits' summands.

        Args:
            feats: As :meth:`forward`.

        Returns:
            ``num_scales`` scores, or one more; their mean is :meth:`forward`.
        """
        scores = self.fc.part_scores(self.pre_logits(feats), self.num_scales)
        return scores if self.pooling is None else [*scores, self.pooling(feats[-1])]

    def loss(
        self, feats: Sequence[Tensor], data_samples: list[DataSample], **kwargs: object
    ) -> dict[str, Tensor]:
        """Compute the losses of a batch.

        Args:
            feats: As :meth:`forward`.
            data_samples: B samples with ``gt_score`` (K,) or ``gt_label``.
            **kwargs: Arguments of the loss module.

        Returns:
            ``loss``; with ``branch_loss`` its summands instead, as MMEngine adds them up:
            ``loss_fused`` of the logits, ``loss_branch_0`` ... of the branches, ``loss_pooling``.
        """
        if not self.branch_loss:
            return super().loss(feats, data_samples, **kwargs)
        scores = self(feats, parts=True)
        names = [f'loss_branch_{i}' for i in range(self.num_scales)]
        if self.pooling is not None:
            names.append('loss_pooling')
        fused = torch.stack(scores).mean(dim=0)
        losses = {'loss_fused': self._get_loss(fused, data_samples, **kwargs)['loss'] / 2}
        for name, score in zip(names, scores, strict=True):
            part = self._get_loss(score, data_samples, **kwargs)['loss']
            losses[name] = part / (2 * len(scores))
        return losses

    def attention_maps(self, feats: Sequence[Tensor], layer: int = -1) -> list[Tensor]:
        """Compute a decoder layer's cross-attention of each class, averaged over the heads.

        Args:
            feats: As :meth:`forward`.
            layer: Index of the decoder layer; negative numbers count from the last.

        Returns:
            For each scale (B, K, h_i, w_i); each map sums to one. The classes of a group have the
            same map. With the pooling also the class activation maps of its score, in every layer.

        Raises:
            ValueError: The head has no decoder or no such layer, or the maps are not as
                configured.
        """
        if self.decoders is None:
            raise ValueError('a head with num_decoder_layers=0 has no cross-attention to show')
        scales = self._scale_maps(feats)
        weights: list[Tensor] = []
        for group, (memory, sizes, pos) in enumerate(self._encode(scales)):
            query, query_pos, query_sizes = self._queries(group)
            weights += cast(Decoder, self.decoders[group]).attention_weights(
                query, memory, query_sizes, sizes, query_pos, pos, layer
            )
        maps = weights_to_maps(weights, [(x.shape[-2], x.shape[-1]) for x in scales])
        maps = [x.repeat_interleave(self.group_size, dim=1)[:, : self.num_classes] for x in maps]
        if self.pooling is not None:
            maps.append(activation_maps(feats[-1], self.pooling.unit_weight))
        return maps

    def forward(self, feats: Sequence[Tensor], parts: bool = False) -> Tensor | list[Tensor]:
        """Compute logits.

        Args:
            feats: ``num_scales`` maps (B, C, h_i, w_i), and with ``pooling_channels`` one map
                (B, pooling_channels, h, w) after them.
            parts: If True, return :meth:`predictor_scores` instead. The loss takes them from here,
                as ``torch.compile`` of a module compiles what is called through it.

        Returns:
            Logits (B, K).

        Raises:
            ValueError: Number or channels of the maps are not as configured.
        """
        if parts:
            return self.predictor_scores(feats)
        logits = self.fc(self.pre_logits(feats))
        if self.pooling is None:
            return logits
        S = self.num_scales
        return (S * logits + self.pooling(feats[-1])) / (S + 1)
