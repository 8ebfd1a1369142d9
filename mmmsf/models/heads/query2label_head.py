"""Query2Label: one Transformer over the last map, queried by label embeddings."""

from collections.abc import Sequence
from functools import partial

import torch
from mmengine.registry import MODELS as ROOT_MODELS
from mmpretrain.models.heads import MultiLabelClsHead
from torch import Tensor, nn

from mmmsf.models.layers import Decoder, Encoder, GroupLinear
from mmmsf.models.layers.sine_position import sine_position_encoding
from mmmsf.registry import MODELS

from .attention_maps import weights_to_maps
from .inputs import last_map


@MODELS.register_module()
class Query2LabelHead(MultiLabelClsHead):
    """Encode the last map's tokens and let one query a class gather what it needs.

    Source: Liu et al., "Query2Label: A Simple Transformer Way to Multi-Label
    Classification", arXiv:2107.10834. Fixed sine positions are added to the
    queries and keys of the encoder and to the keys of the cross-attentions; the
    label embedding is the first query.

    The defaults are the parts whose sum fits the published 193.6 M of
    ResNet-101 at K = 80: backbone 42,500,160, one encoder and two decoder
    layers of 50,358,272 each, last LayerNorm 4,096, together 193,579,072. So
    they have neither the self-attention between the queries (16,789,504 a
    layer, with its norm) nor a projection of the map (4,196,352), which is as
    wide as the tokens. The table of labels and the group-wise linear layer,
    327,760 at K = 80, come on top: 193,906,832 in all, which rounds to 193.9 M.
    The published figure leaves no room for them; how it was counted is not
    known to us.

    Args:
        num_classes: classes K.
        in_channels: channels of the backbone's last map.
        embed_dims: channels C of a token; a multiple of 4.
        num_heads: attention heads.
        feedforward_channels: hidden channels of the feed-forward parts.
        num_encoder_layers: encoder layers; may be 0.
        num_decoder_layers: decoder layers.
        decoder_self_attn: which decoder layers let the queries attend to each
            other first: ``'none'``, ``'first'``, ``'rest'``, ``'all'`` (the
            last is the paper's figure).
        input_proj: project the map by a 1x1 convolution even if ``in_channels``
            is ``embed_dims`` already; where they differ it is always projected.
        dropout: dropout probability of encoder and decoder.
        act_cfg: activation of the feed-forward parts.
        **kwargs: ``loss``, ``thr``, ``topk`` and ``init_cfg`` of MMPretrain's
            ``MultiLabelClsHead``. The loss defaults to ``AsymmetricLoss``.

    Raises:
        ValueError: an argument is outside the values above.
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
        """Encoded tokens (B, h*w, C) of the last map, positions (1, h*w, C), and (h, w)."""
        x = last_map(feats, self.in_channels, type(self).__name__)
        if self.input_proj is not None:
            x = self.input_proj(x)
        _, C, h, w = x.shape
        pos = sine_position_encoding(h, w, C, device=x.device, dtype=x.dtype)[None]
        tokens = x.flatten(2).transpose(1, 2)  # (B, h*w, C)
        return self.encoder(tokens, [h * w], pos), pos, (h, w)

    def pre_logits(self, feats: Sequence[Tensor]) -> Tensor:
        """Features of every class.

        Args:
            feats: the backbone's maps; only the last, (B, in_channels, h, w),
                is read.

        Returns:
            (B, K, C).

        Raises:
            ValueError: the last map is not of that shape.
        """
        memory, pos, (h, w) = self._encode(feats)
        return self.decoder(
            self.label_embed[None], memory, [self.num_classes], [h * w], memory_pos=pos
        )

    def attention_maps(self, feats: Sequence[Tensor], layer: int = -1) -> list[Tensor]:
        """Where each class looks; as :meth:`MSFHead.attention_maps`, with a single scale.

        Returns:
            One map (B, K, h, w) that sums to one for each class.
        """
        memory, pos, (h, w) = self._encode(feats)
        weights = self.decoder.attention_weights(
            self.label_embed[None], memory, [self.num_classes], [h * w], memory_pos=pos, layer=layer
        )
        return weights_to_maps(weights, [(h, w)])

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Logits of shape (B, K)."""
        return self.fc(self.pre_logits(feats))
