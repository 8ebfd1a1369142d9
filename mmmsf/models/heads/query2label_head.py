"""Query2Label: one Transformer over the last map, queried by label embeddings."""

from collections.abc import Sequence
from functools import partial

import torch
from mmengine.registry import MODELS as ROOT_MODELS
from mmpretrain.models.heads import MultiLabelClsHead
from torch import Tensor, nn

from mmmsf.models.layers import Decoder, Encoder, GroupLinear, sine_position_encoding
from mmmsf.registry import MODELS

from .attention_maps import weights_to_maps
from .inputs import last_map

QUERY_MODES = ('attention', 'first')


@MODELS.register_module()
class Query2LabelHead(MultiLabelClsHead):
    """Encode the last map's tokens and decode them by one query a class.

    Source: Liu et al., "Query2Label: A Simple Transformer Way to Multi-Label
    Classification", arXiv:2107.10834. The defaults are the behaviour of its released code: fixed
    sine positions, rows first, over [0, 2 pi], are added to the queries and keys of the encoder and
    to the keys of the cross-attentions; the first query is zero, and the label embedding is added
    to the query of every cross-attention (and to query and key of a self-attention); the
    self-attention is removed from every decoder layer, the first included; a LayerNorm follows the
    last; each class has a weight vector and a bias of its own. Not from there: ours encodes maps of
    any size, and ``query_mode='first'``.

    The defaults are the parts whose sum fits the published 193.6 M of ResNet-101 at K = 80:
    backbone 42,500,160, one encoder and two decoder layers of 50,358,272 each, last LayerNorm
    4,096, together 193,579,072. So they have neither the self-attention between the queries
    (16,789,504 a layer, with its norm) nor a projection of the map (4,196,352), which is as wide
    as the tokens. The label embeddings and the group-wise linear layer, 327,760 at K = 80, come on
    top: 193,906,832, which rounds to 193.9 M. The published figure leaves no room for them; how it
    was counted is not known to us.

    Args:
        num_classes: Number of classes K.
        in_channels: Channels of the backbone's last map.
        embed_dims: Number of channels C of a token; a multiple of 4.
        num_heads: Number of attention heads.
        feedforward_channels: Number of hidden channels of the feed-forward parts.
        num_encoder_layers: Number of encoder layers; may be 0.
        num_decoder_layers: Number of decoder layers.
        decoder_self_attn: Decoder layers in which the queries first attend to each other:
            ``'none'``, ``'first'``, ``'rest'``, ``'all'`` (the last is the paper's figure).
        input_proj: If True, project the map by a 1x1 convolution even if ``in_channels`` equals
            ``embed_dims``; where they differ it is always projected.
        dropout: Dropout probability of encoder and decoder.
        query_mode: ``'attention'`` (released) starts from zero and adds the label embedding to the
            query of every attention; ``'first'`` (ours, and the only one in 0.1.0) makes it the
            first query. The parameters are the same.
        act_cfg: Activation of the feed-forward parts.
        **kwargs: ``loss``, ``thr``, ``topk`` and ``init_cfg`` of MMPretrain's
            ``MultiLabelClsHead``. The loss defaults to ``AsymmetricLoss``.

    Raises:
        ValueError: An argument is outside the values above.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 2048,
        embed_dims: int = 2048,
        num_heads: int = 4,
        feedforward_channels: int = 8192,
        num_encoder_layers: int = 1,
        num_decoder_layers: int = 2,
        decoder_self_attn: str = 'none',
        input_proj: bool = False,
        dropout: float = 0.1,
        query_mode: str = 'attention',
        act_cfg: dict | None = None,
        **kwargs: object,
    ) -> None:
        kwargs.setdefault('loss', dict(type='mmmsf.AsymmetricLoss'))
        super().__init__(**kwargs)
        for name, value, low in (
            ('num_classes', num_classes, 1),
            ('in_channels', in_channels, 1),
            ('num_encoder_layers', num_encoder_layers, 0),
            ('num_decoder_layers', num_decoder_layers, 1),
        ):
            if value < low:
                raise ValueError(f'`{name}` must be at least {low}, got {value}')
        if embed_dims < 4 or embed_dims % 4:
            raise ValueError(f'`embed_dims` must be a positive multiple of 4, got {embed_dims}')
        if query_mode not in QUERY_MODES:
            raise ValueError(f'`query_mode` must be one of {QUERY_MODES}, got {query_mode!r}')
        self.query_mode = query_mode
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.embed_dims = embed_dims

        layer_args = (
            embed_dims,
            num_heads,
            feedforward_channels,
            partial(ROOT_MODELS.build, act_cfg or dict(type='ReLU')),
            dropout,
        )
        self.input_proj: nn.Conv2d | None = None
        if input_proj or in_channels != embed_dims:
            self.input_proj = nn.Conv2d(in_channels, embed_dims, 1)
        self.encoder = Encoder(num_encoder_layers, *layer_args)
        self.decoder = Decoder(num_decoder_layers, *layer_args, decoder_self_attn)
        self.label_embed = nn.Parameter(torch.randn(num_classes, embed_dims))
        self.fc = GroupLinear(num_classes, embed_dims)

    def _encode(self, feats: Sequence[Tensor]) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Encode the last map: tokens (B, h * w, C), positions (1, h * w, C), and (h, w)."""
        x = last_map(feats, self.in_channels, type(self).__name__)
        if self.input_proj is not None:
            x = self.input_proj(x)
        _, C, h, w = x.shape
        pos = sine_position_encoding(h, w, C, device=x.device, dtype=x.dtype)[None]
        tokens = x.flatten(2).transpose(1, 2)  # (B, h * w, C)
        return self.encoder(tokens, [h * w], pos), pos, (h, w)

    def _queries(self) -> tuple[Tensor, Tensor | None]:
        """Make the first queries (1, K, C) and their positions (1, K, C) or None."""
        labels = self.label_embed[None]
        if self.query_mode == 'attention':
            return torch.zeros_like(labels), labels
        return labels, None

    def pre_logits(self, feats: Sequence[Tensor]) -> Tensor:
        """Compute features of every class.

        Args:
            feats: The backbone's maps; only the last, (B, in_channels, h, w), is read.

        Returns:
            Features (B, K, C).

        Raises:
            ValueError: The last map is not of that shape.
        """
        memory, pos, (h, w) = self._encode(feats)
        query, query_pos = self._queries()
        return self.decoder(query, memory, [self.num_classes], [h * w], query_pos, pos)

    def attention_maps(self, feats: Sequence[Tensor], layer: int = -1) -> list[Tensor]:
        """Compute a decoder layer's cross-attention of each class, averaged over the heads.

        Args:
            feats: The backbone's maps; only the last, (B, in_channels, h, w), is read.
            layer: Index of the decoder layer; negative numbers count from the last.

        Returns:
            One map (B, K, h, w) that sums to one for each class.

        Raises:
            ValueError: There is no such layer, or the last map is not of that shape.
        """
        memory, pos, (h, w) = self._encode(feats)
        query, query_pos = self._queries()
        weights = self.decoder.attention_weights(
            query, memory, [self.num_classes], [h * w], query_pos, pos, layer
        )
        return weights_to_maps(weights, [(h, w)])

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Compute logits (B, K)."""
        return self.fc(self.pre_logits(feats))
