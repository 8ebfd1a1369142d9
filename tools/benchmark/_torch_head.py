"""The head made of torch.nn's own layers, the baseline of ``tools/benchmark/head.py``."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmmsf.models.heads import MSFHead
from mmmsf.models.layers import DecoderLayer, EncoderLayer, MultiheadAttention
from mmmsf.models.layers.feedforward import FeedForward


def _attention(source: MultiheadAttention) -> nn.MultiheadAttention:
    own = nn.MultiheadAttention(source.embed_dims, source.num_heads, batch_first=True)
    own.load_state_dict(source.state_dict())
    return own


def _feed_forward(source: FeedForward) -> nn.Sequential:
    layers = [
        nn.Linear(*source.linear1.weight.shape[::-1]),
        nn.ReLU(),
        nn.Linear(*source.linear2.weight.shape[::-1]),
    ]
    layers[0].load_state_dict(source.linear1.state_dict())
    layers[2].load_state_dict(source.linear2.state_dict())
    return nn.Sequential(*layers)


def _norm(source: nn.LayerNorm) -> nn.LayerNorm:
    own = nn.LayerNorm(source.normalized_shape)
    own.load_state_dict(source.state_dict())
    return own


def _encoder_layer(source: EncoderLayer) -> nn.TransformerEncoderLayer:
    hidden, dims = source.ffn.linear1.weight.shape
    own = nn.TransformerEncoderLayer(
        dims, source.self_attn.num_heads, hidden, dropout=0.0, batch_first=True
    )
    own.load_state_dict(
        {name.removeprefix('ffn.'): value for name, value in source.state_dict().items()}
    )
    return own


class _DecoderLayer(nn.Module):
    """torch.nn.TransformerDecoderLayer without its mandatory self-attention."""

    def __init__(self, source: DecoderLayer, need_weights: bool) -> None:
        super().__init__()
        self.need_weights = need_weights
        self.cross_attn = _attention(source.cross_attn)
        self.norm1, self.norm2 = _norm(source.norm2), _norm(source.norm3)
        self.ffn = _feed_forward(source.ffn)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        attended, _ = self.cross_attn(x, memory, memory, need_weights=self.need_weights)
        x = self.norm1(x + attended)
        return self.norm2(x + self.ffn(x))


class TorchHead(nn.Module):
    """Branch-by-branch twin of an :class:`MSFHead` of profile ``paper``, with copied weights.

    Args:
        head: Head of shared branches, position mode ``'input'``, query mode ``'first'``, ReLU, no
            dropout, no self-attention in the decoder.
        need_weights: If True, the cross-attentions also compute their weights, as
            ``torch.nn.MultiheadAttention`` does by default; they are not used.

    Raises:
        ValueError: The head is of another kind.
    """

    def __init__(self, head: MSFHead, need_weights: bool = False) -> None:
        super().__init__()
        if (
            not head.share_branches
            or head.position_mode != 'input'
            or head.query_mode != 'first'
            or head.decoders is None
            or head.pooling is not None
            or head.position is None
        ):
            raise ValueError('only a head of profile `paper` with a decoder can be rewritten')
        self.encoder = nn.ModuleList(_encoder_layer(x) for x in head.encoders[0].layers)
        self.decoder = nn.ModuleList(
            _DecoderLayer(x, need_weights) for x in head.decoders[0].layers
        )
        self.norm = _norm(head.decoders[0].norm)
        self.row_embed = nn.Parameter(head.position.row_embed.detach().clone())
        self.col_embed = nn.Parameter(head.position.col_embed.detach().clone())
        self.label_embed = nn.Parameter(head.label_embed.detach().clone())
        self.fc_weight = nn.Parameter(head.fc.weight.detach().clone())
        self.fc_bias = nn.Parameter(head.fc.bias.detach().clone())

    def _positions(self, height: int, width: int) -> Tensor:
        """Encode the positions of a map: (h * w, C)."""
        grid = torch.cat(
            [
                self.col_embed[:width].expand(height, -1, -1),
                self.row_embed[:height, None].expand(-1, width, -1),
            ],
            dim=-1,
        )
        return grid.flatten(0, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Compute logits (B, K) from maps (B, C, h_i, w_i)."""
        branches = []
        for x, label in zip(maps, self.label_embed, strict=True):
            B, _, h, w = x.shape
            memory = x.flatten(2).transpose(1, 2) + self._positions(h, w)  # (B, h * w, C)
            for layer in self.encoder:
                memory = layer(memory)
            query = label.expand(B, -1, -1)  # (B, K, C)
            for layer in self.decoder:
                query = layer(query, memory)
            branches.append(self.norm(query))
        return (torch.cat(branches, dim=-1) * self.fc_weight).sum(-1) + self.fc_bias
