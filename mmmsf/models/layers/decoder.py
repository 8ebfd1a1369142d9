"""Region selection: decoder without self-attention, queried by label embeddings (Eq 10)."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import MultiheadAttention, branch_attention_weights, split_branches
from .feedforward import FeedForward

SELF_ATTN_MODES = ('none', 'first', 'rest', 'all')
# Key and value of each branch, (B, H, N_i, D) each.
Memory = Sequence[tuple[Tensor, Tensor]]


def _concat(projections: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Concatenate the weights and the biases of projections of the same input."""
    weights, biases = zip(*projections, strict=True)
    return torch.cat(weights), torch.cat(biases)


class DecoderLayer(nn.Module):
    """Cross-attention, add & norm, feed-forward, add & norm, with optional self-attention.

    Args:
        embed_dims: Number of channels C of a token.
        num_heads: Number of attention heads H.
        feedforward_channels: Number of hidden channels of the feed-forward part.
        act: Factory of the activation module.
        dropout: Dropout probability of attention, feed-forward part and residuals.
        self_attn: If True, the queries first attend to each other.
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
        self, x: Tensor, query_sizes: Sequence[int], query_pos: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Apply the self-attention, if there is one, and the cross-attention's query projection.

        Args:
            x: Queries (B or 1, Q, C) of all branches side by side.
            query_sizes: Number of queries of each branch; their sum is Q.
            query_pos: Positions (1, Q, C), added to every attention query.

        Returns:
            ``x`` after the self-attention, and the projected queries (B or 1, H, Q_i, D) of each
            branch.
        """
        if self.self_attn is not None:
            attended = self.self_attn.self_attention(x, query_sizes, query_pos)
            x = self.norm1(x + self.dropout(attended))
        query = F.linear(x if query_pos is None else x + query_pos, *self.cross_attn.q_proj)
        return x, [q for (q,) in split_branches(query, query_sizes, self.cross_attn.num_heads)]

    def forward(
        self,
        x: Tensor,
        memory: Memory,
        query_sizes: Sequence[int],
        query_pos: Tensor | None = None,
    ) -> Tensor:
        """Refine the queries.

        Args:
            x: Queries (B or 1, Q, C) of all branches side by side.
            memory: Key and value of each branch, (B, H, N_i, D) each.
            query_sizes: Number of queries of each branch; their sum is Q.
            query_pos: Positions (1, Q, C), added to every attention query.

        Returns:
            Queries (B, Q, C).
        """
        x, queries = self.project_query(x, query_sizes, query_pos)
        attended = self.cross_attn.attend(
            (q, k, v) for q, (k, v) in zip(queries, memory, strict=True)
        )
        x = self.norm2(x + self.dropout(attended))
        return self.norm3(x + self.dropout(self.ffn(x)))


class Decoder(nn.Module):
    """A stack of :class:`DecoderLayer` and a final LayerNorm.

    All layers read the same memory, so one matrix product makes the keys and values of all of
    them. The queries of the first layer do not depend on the image and stay a batch of one until
    the first cross-attention.

    Args:
        num_layers: Number of layers n (Fig 5), at least 1.
        embed_dims: Number of channels C of a token.
        num_heads: Number of attention heads H.
        feedforward_channels: Number of hidden channels of the feed-forward part.
        act: Factory of the activation module.
        dropout: Dropout probability.
        self_attn: Layers with self-attention between the queries (Table 7): ``'none'``,
            ``'first'``, ``'rest'`` or ``'all'``.

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
        self.num_heads = num_heads
        self.dropout = dropout
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

    def project_memory(
        self, memory: Tensor, sizes: Sequence[int], pos: Tensor | None = None
    ) -> list[Memory]:
        """Project the memory to the keys and values of every layer.

        Args:
            memory: Tokens (B, N, C) of all branches side by side.
            sizes: Number of tokens of each branch; their sum is N.
            pos: Positions (1, N, C), added to the keys, not to the values.

        Returns:
            For each layer the key and value of each branch, (B, H, N_i, D) each.
        """
        attentions = [cast(DecoderLayer, layer).cross_attn for layer in self.layers]
        H, L = self.num_heads, len(attentions)
        if pos is None:
            tokens = F.linear(memory, *_concat([a.kv_proj for a in attentions]))  # (B, N, L * 2C)
            fused = split_branches(tokens, sizes, H, 2 * L)
            keys, values = [x[0::2] for x in fused], [x[1::2] for x in fused]
        else:
            key = F.linear(memory + pos, *_concat([a.k_proj for a in attentions]))  # (B, N, L * C)
            value = F.linear(memory, *_concat([a.v_proj for a in attentions]))  # (B, N, L * C)
            keys, values = split_branches(key, sizes, H, L), split_branches(value, sizes, H, L)
        branches = [zip(*pair, strict=True) for pair in zip(keys, values, strict=True)]
        return list(zip(*branches, strict=True))

    def forward(
        self,
        query: Tensor,
        memory: Tensor,
        query_sizes: Sequence[int],
        key_sizes: Sequence[int],
        query_pos: Tensor | None = None,
        memory_pos: Tensor | None = None,
    ) -> Tensor:
        """Decode the queries of all branches.

        Args:
            query: First queries (1, Q, C) of all branches side by side.
            memory: Encoded tokens (B, N, C) of all branches side by side.
            query_sizes: Number of queries of each branch; their sum is Q.
            key_sizes: Number of memory tokens of each branch; their sum is N.
            query_pos: Positions (1, Q, C), added to every attention query.
            memory_pos: Positions (1, N, C), added to every cross-attention key.

        Returns:
            Features (B, Q, C), normalized.
        """
        if self.training and self.dropout:
            query = query.expand(len(memory), -1, -1)  # one dropout mask for each image
        memories = self.project_memory(memory, key_sizes, memory_pos)
        for layer, layer_memory in zip(self.layers, memories, strict=True):
            query = layer(query, layer_memory, query_sizes, query_pos)
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
        """Compute the cross-attention weights of one layer.

        Args:
            query: As :meth:`forward`.
            memory: As :meth:`forward`.
            query_sizes: As :meth:`forward`.
            key_sizes: As :meth:`forward`.
            query_pos: As :meth:`forward`.
            memory_pos: As :meth:`forward`.
            layer: Index of the layer; negative numbers count from the last.

        Returns:
            For each branch (B, H, query_sizes[i], key_sizes[i]); each row sums to one.

        Raises:
            ValueError: ``layer`` is out of range.
        """
        num_layers = len(self.layers)
        if not -num_layers <= layer < num_layers:
            raise ValueError(
                f'`layer` must be from {-num_layers} to {num_layers - 1} for '
                f'{num_layers} decoder layers, got {layer}'
            )
        index = layer % num_layers
        memories = self.project_memory(memory, key_sizes, memory_pos)
        for block, layer_memory in zip(self.layers[:index], memories, strict=False):
            query = block(query, layer_memory, query_sizes, query_pos)
        block = cast(DecoderLayer, self.layers[index])
        _, queries = block.project_query(query, query_sizes, query_pos)
        return branch_attention_weights(
            (q, key) for q, (key, _) in zip(queries, memories[index], strict=True)
        )
