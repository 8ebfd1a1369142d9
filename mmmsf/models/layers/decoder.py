"""Region selection: decoder without self-attention, queried by label embeddings (Eq 10)."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import (
    BranchTokens,
    MultiheadAttention,
    branch_attention_weights,
    folding_pays,
)
from .feedforward import FeedForward

SELF_ATTN_MODES = ('none', 'first', 'rest', 'all')


class DecoderLayer(nn.Module):
    """Cross-attention, add & norm, feed-forward, add & norm; self-attention on request.

    Args:
        embed_dims: channels C of a token.
        num_heads: attention heads.
        feedforward_channels: hidden channels of the feed-forward part.
        act: makes the activation module.
        dropout: dropout probability, in attention, feed-forward and residuals.
        self_attn: whether the queries first attend to each other.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        feedforward_channels: int,
        act: Callable[[], nn.Module] = nn.ReLU,
        dropout: float = 0.0,
        self_attn: bool = False,
    ) -> None:
        super().__init__()
        self.self_attn: MultiheadAttention | None = None
        if self_attn:
            self.self_attn = MultiheadAttention(embed_dims, num_heads, dropout)
            self.norm1 = nn.LayerNorm(embed_dims)
        self.cross_attn = MultiheadAttention(embed_dims, num_heads, dropout)
        self.norm2 = nn.LayerNorm(embed_dims)
        self.ffn = FeedForward(embed_dims, feedforward_channels, act, dropout)
        self.norm3 = nn.LayerNorm(embed_dims)
        self.dropout = nn.Dropout(dropout)

    def project_query(
        self, x: Tensor, query_sizes: Sequence[int], query_pos: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """What comes before the cross-attention.

        Args:
            x, query_sizes, query_pos: as :meth:`forward`.

        Returns:
            ``x`` after the self-attention, if there is one, and its projection by the
            cross-attention's query matrix, (B or 1, Q, C) each.
        """
        if self.self_attn is not None:
            attended = self.self_attn.self_attention(x, query_sizes, query_pos)
            x = self.norm1(x + self.dropout(attended))
        return x, F.linear(
            x if query_pos is None else x + query_pos, *self.cross_attn.in_proj(0, 1)
        )

    def forward(
        self,
        x: Tensor,
        memory: Sequence[BranchTokens],
        query_sizes: Sequence[int],
        query_pos: Tensor | None = None,
    ) -> Tensor:
        """Refine the queries.

        Args:
            x: (B or 1, Q, C) queries of all branches side by side.
            memory: the tokens of each branch.
            query_sizes: queries of each branch; their sum is Q.
            query_pos: (1, Q, C), added to every attention query.

        Returns:
            (B, Q, C).
        """
        x, query = self.project_query(x, query_sizes, query_pos)
        attended = self.cross_attn.cross_attention(query, memory, query_sizes)
        x = self.norm2(x + self.dropout(attended))
        return self.norm3(x + self.dropout(self.ffn(x)))


class Decoder(nn.Module):
    """A stack of :class:`DecoderLayer` and a final LayerNorm.

    Every layer reads the same memory, so the keys and values of all layers come
    from one matrix product; branches with many tokens need none at all (see
    :func:`~.attention.folded_attention`). The first layer's queries do not depend on the image
    and stay a batch of one until the first cross-attention.

    Args:
        num_layers: number of layers n (Fig 5), at least 1.
        embed_dims: channels C of a token.
        num_heads: attention heads.
        feedforward_channels: hidden channels of the feed-forward part.
        act: makes the activation module.
        dropout: dropout probability.
        self_attn: which layers have self-attention between the queries
            (Table 7): ``'none'``, ``'first'``, ``'rest'`` or ``'all'``.

    Attributes:
        fold: True: leave tokens unprojected wherever that takes fewer multiplications; False:
            nowhere; None, the default: where it was measured to be faster.

    Raises:
        ValueError: ``self_attn`` is not one of the four modes.
    """

    def __init__(
        self,
        num_layers: int,
        embed_dims: int,
        num_heads: int,
        feedforward_channels: int,
        act: Callable[[], nn.Module] = nn.ReLU,
        dropout: float = 0.0,
        self_attn: str = 'none',
    ) -> None:
        super().__init__()
        if self_attn not in SELF_ATTN_MODES:
            raise ValueError(f'`self_attn` must be one of {SELF_ATTN_MODES}, got {self_attn!r}')
        self.dropout = dropout
        self.fold: bool | None = None
        self.layers = nn.ModuleList(
            DecoderLayer(
                embed_dims,
                num_heads,
                feedforward_channels,
                act,
                dropout,
                self_attn == 'all' or self_attn == ('rest' if index else 'first'),
            )
            for index in range(num_layers)
        )
        self.norm = nn.LayerNorm(embed_dims)

    def project_memory(self, memory: Tensor, pos: Tensor | None) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of every layer.

        Args:
            memory: (B, N, C).
            pos: (1, N, C), added to the keys, never to the values.

        Returns:
            For each layer its key and value, (B, N, C) each.
        """
        attentions = [cast(DecoderLayer, layer).cross_attn for layer in self.layers]
        if pos is None:
            pairs = [attention.in_proj(1, 3) for attention in attentions]
            tokens = F.linear(memory, *(torch.cat(parts) for parts in zip(*pairs, strict=True)))
            chunks = tokens.chunk(2 * len(attentions), dim=-1)
            return list(zip(chunks[0::2], chunks[1::2], strict=True))
        projected = []
        for first, tokens in ((1, memory + pos), (2, memory)):
            pairs = [attention.in_proj(first, first + 1) for attention in attentions]
            tokens = F.linear(tokens, *(torch.cat(parts) for parts in zip(*pairs, strict=True)))
            projected.append(tokens.chunk(len(attentions), dim=-1))
        return list(zip(*projected, strict=True))

    def _folds(self, memory: Tensor, num_queries: int, num_tokens: int) -> bool:
        """Whether a branch's tokens are left unprojected.

        By default on a CPU alone, see tools/benchmark/README.md, and never for a size that an
        export keeps free.
        """
        attention = cast(DecoderLayer, self.layers[0]).cross_attn
        fold = memory.device.type == 'cpu' if self.fold is None else self.fold
        return (
            fold
            and isinstance(num_tokens, int)
            and not (self.training and self.dropout)
            and folding_pays(num_queries, num_tokens, attention.embed_dims, attention.num_heads)
        )

    def _memory_of_layers(
        self,
        memory: Tensor,
        pos: Tensor | None,
        query_sizes: Sequence[int],
        key_sizes: Sequence[int],
    ) -> list[list[BranchTokens]]:
        """For each layer the tokens of each branch, projected where that is less work."""
        sizes = list(key_sizes)
        folded = [self._folds(memory, *pair) for pair in zip(query_sizes, sizes, strict=True)]
        if not any(folded):
            return [
                [
                    BranchTokens(*pair)
                    for pair in zip(key.split(sizes, dim=1), value.split(sizes, dim=1), strict=True)
                ]
                for key, value in self.project_memory(memory, pos)
            ]
        values = memory.split(sizes, dim=1)
        keys = values if pos is None else (memory + pos).split(sizes, dim=1)
        layers: list[list[BranchTokens]] = [[] for _ in self.layers]
        positions = [None] * len(sizes) if pos is None else pos.split(sizes, dim=1)
        for fold, key, value, position in zip(folded, keys, values, positions, strict=True):
            branch = (
                [BranchTokens(key, value, False)] * len(layers)
                if fold
                else [BranchTokens(*pair) for pair in self.project_memory(value, position)]
            )
            for layer, tokens in zip(layers, branch, strict=True):
                layer.append(tokens)
        return layers

    def forward(
        self,
        query: Tensor,
        memory: Tensor,
        query_sizes: Sequence[int],
        key_sizes: Sequence[int],
        query_pos: Tensor | None = None,
        memory_pos: Tensor | None = None,
    ) -> Tensor:
        """Gather from the memory what each query asks for.

        Args:
            query: (1, Q, C) first queries of all branches side by side.
            memory: (B, N, C) encoded tokens of all branches side by side.
            query_sizes: queries of each branch; their sum is Q.
            key_sizes: memory tokens of each branch; their sum is N.
            query_pos: (1, Q, C), added to every attention query.
            memory_pos: (1, N, C), added to every cross-attention key.

        Returns:
            (B, Q, C), normalised.
        """
        if self.training and self.dropout:
            query = query.expand(len(memory), -1, -1)  # a mask of its own for every image
        layers = self._memory_of_layers(memory, memory_pos, query_sizes, key_sizes)
        for layer, tokens in zip(self.layers, layers, strict=True):
            query = layer(query, tokens, query_sizes, query_pos)
        return self.norm(query)

    def attention_weights(
        self,
        query: Tensor,
        memory: Tensor,
        query_sizes: Sequence[int],
        key_sizes: Sequence[int],
        query_pos: Tensor | None = None,
        memory_pos: Tensor | None = None,
        layer: int = -1,
    ) -> list[Tensor]:
        """Cross-attention weights of one layer, written out, from projected keys.

        Args:
            query, memory, query_sizes, key_sizes, query_pos, memory_pos: as :meth:`forward`.
            layer: number of the layer; negative numbers count from the last.

        Returns:
            For each branch (B, num_heads, query_sizes[i], key_sizes[i]); a row sums to one.

        Raises:
            ValueError: there is no such layer.
        """
        num_layers = len(self.layers)
        if not -num_layers <= layer < num_layers:
            raise ValueError(
                f'`layer` must be from {-num_layers} to {num_layers - 1} for '
                f'{num_layers} decoder layers, got {layer}'
            )
        index = layer % num_layers
        layers = self._memory_of_layers(memory, memory_pos, query_sizes, key_sizes)
        for block, tokens in zip(self.layers[:index], layers, strict=False):
            query = block(query, tokens, query_sizes, query_pos)
        block = cast(DecoderLayer, self.layers[index])
        _, query = block.project_query(query, query_sizes, query_pos)
        key, _ = self.project_memory(memory, memory_pos)[index]
        return branch_attention_weights(
            query, key, query_sizes, key_sizes, block.cross_attn.num_heads
        )


@contextlib.contextmanager
def projected_memory(model: nn.Module) -> Iterator[None]:
    """Let every :class:`Decoder` in a model project its memory, as the paper's arithmetic has it:
    the same results, on every device the same operations.
    """
    decoders = [module for module in model.modules() if isinstance(module, Decoder)]
    before = [decoder.fold for decoder in decoders]
    for decoder in decoders:
        decoder.fold = False
    try:
        yield
    finally:
        for decoder, fold in zip(decoders, before, strict=True):
            decoder.fold = fold
