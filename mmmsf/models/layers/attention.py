"""Multi-head attention over tokens of several branches that lie side by side."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """Give every head its channels: (B, N, C) -> (B, num_heads, N, C / num_heads)."""
    B, N, C = x.shape
    return x.view(B, N, num_heads, C // num_heads).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """Undo :func:`split_heads`: (B, H, N, D) -> (B, N, H * D)."""
    B, H, N, D = x.shape
    return x.transpose(1, 2).reshape(B, N, H * D)


def branch_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    query_sizes: Sequence[int],
    key_sizes: Sequence[int],
    num_heads: int,
    dropout: float,
) -> Tensor:
    """Scaled dot-product attention in which each branch sees only its own tokens.

    Args:
        query: (B or 1, sum(query_sizes), C), already projected. A batch of one
            is used for every image.
        key: (B, sum(key_sizes), C), already projected.
        value: (B, sum(key_sizes), C), already projected.
        query_sizes: tokens of each branch in ``query``.
        key_sizes: tokens of each branch in ``key`` and ``value``.
        num_heads: heads that share the C channels.
        dropout: probability of dropping an attention weight.

    Returns:
        (B, sum(query_sizes), C).
    """
    B = key.shape[0]
    outputs = []
    for q, k, v in zip(
        query.split(list(query_sizes), dim=1),
        key.split(list(key_sizes), dim=1),
        value.split(list(key_sizes), dim=1),
        strict=True,
    ):
        q = split_heads(q, num_heads).expand(B, -1, -1, -1)
        outputs.append(
            merge_heads(
                F.scaled_dot_product_attention(
                    q, split_heads(k, num_heads), split_heads(v, num_heads), dropout_p=dropout
                )
            )
        )
    return torch.cat(outputs, dim=1)


def branch_attention_weights(
    query: Tensor, key: Tensor, query_sizes: Sequence[int], key_sizes: Sequence[int], num_heads: int
) -> list[Tensor]:
    """The weights that :func:`branch_attention` applies to the values, written out.

    Never part of training or prediction: it holds every weight in memory.

    Args:
        query, key, query_sizes, key_sizes, num_heads: as :func:`branch_attention`.

    Returns:
        For each branch (B, num_heads, query_sizes[i], key_sizes[i]); a row sums to one.
    """
    weights = []
    for q, k in zip(
        query.split(list(query_sizes), dim=1), key.split(list(key_sizes), dim=1), strict=True
    ):
        q, k = split_heads(q, num_heads), split_heads(k, num_heads)  # (B, H, N, D)
        scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
        weights.append(scores.softmax(dim=-1))
    return weights


class BranchTokens(NamedTuple):
    """What the queries of one branch attend to.

    ``key`` and ``value`` are (B, N, C): projected by the attention's key and value matrices, or,
    with ``projected`` False, as they come; :func:`folded_attention` takes the latter.
    """

    key: Tensor
    value: Tensor
    projected: bool = True


def folding_pays(num_queries: int, num_tokens: int, embed_dims: int, num_heads: int) -> bool:
    """Whether :func:`folded_attention` needs fewer multiplications than projecting the tokens.

    With Q queries, N tokens, C channels and H heads, projecting takes 2 N C^2 and attending
    2 Q N C multiplications; folding takes 2 Q C^2 and 2 H Q N C.
    """
    Q, N, C, H = num_queries, num_tokens, embed_dims, num_heads
    return N * C + Q * N > Q * C + H * Q * N


def folded_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    in_proj_weight: Tensor,
    value_bias: Tensor,
    num_heads: int,
) -> Tensor:
    """Cross-attention that moves the key and value matrices from the tokens to the queries.

    q (W_k x)^T = (q W_k) x^T, and softmax(..) (W_v x) = (softmax(..) x) W_v: the same result as
    projecting every token, for less work where tokens are many and queries few. The key bias adds
    the same number to all scores of a query, which the softmax takes away; the value bias comes
    through whole, because the weights sum to one. So there can be no dropout of the weights.

    Args:
        query: (B or 1, Q, C), already projected.
        key: (B, N, C), not projected.
        value: (B, N, C), not projected.
        in_proj_weight: (3 C, C), the query, key and value matrices.
        value_bias: (C,).
        num_heads: heads that share the C channels.

    Returns:
        (B, Q, C), before the output projection.
    """
    B, _, C = key.shape
    D = C // num_heads
    _, key_weight, value_weight = in_proj_weight.view(3, num_heads, D, C)  # (H, D, C)
    query = split_heads(query * D**-0.5, num_heads) @ key_weight  # (B or 1, H, Q, C)
    query = query.flatten(1, 2).expand(B, -1, -1)  # (B, H * Q, C)
    scores = query @ key.transpose(1, 2)  # (B, H * Q, N)
    exact = torch.promote_types(scores.dtype, torch.float32)  # half precision would round the sum
    gathered = scores.softmax(dim=-1, dtype=exact).to(scores.dtype) @ value  # (B, H * Q, C)
    gathered = gathered.unflatten(1, (num_heads, -1)) @ value_weight.transpose(1, 2)
    return merge_heads(gathered) + value_bias  # from (B, H, Q, D)


class MultiheadAttention(nn.Module):
    """Projections of multi-head attention, exposed one by one.

    Parameters carry the names and shapes of :class:`torch.nn.MultiheadAttention`,
    so weights copy over in both directions. The caller projects, calls
    :func:`branch_attention` and then ``out_proj``: encoder and decoder can so
    project the tokens of all branches, or the keys of all layers, in one product.

    Args:
        embed_dims: channels C; a multiple of ``num_heads``.
        num_heads: number of heads.
        dropout: probability of dropping an attention weight in training.

    Raises:
        ValueError: ``embed_dims`` is not a positive multiple of ``num_heads``.
    """

    def __init__(self, embed_dims: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if num_heads < 1 or embed_dims < 1 or embed_dims % num_heads:
            raise ValueError(
                '`embed_dims` must be a positive multiple of `num_heads`, got '
                f'embed_dims={embed_dims}, num_heads={num_heads}'
            )
        self.embed_dims = embed_dims
        self.num_heads = num_heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * embed_dims, embed_dims))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * embed_dims))
        self.out_proj = nn.Linear(embed_dims, embed_dims)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def in_proj(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Weight and bias of a run of projections: 0 query, 1 key, 2 value; last excluded."""
        rows = slice(first * self.embed_dims, last * self.embed_dims)
        return self.in_proj_weight[rows], self.in_proj_bias[rows]

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        query_sizes: Sequence[int],
        key_sizes: Sequence[int],
    ) -> Tensor:
        """Attention and output projection for projected tokens; shapes as
        :func:`branch_attention`.
        """
        dropout = self.dropout if self.training else 0.0
        return self.out_proj(
            branch_attention(query, key, value, query_sizes, key_sizes, self.num_heads, dropout)
        )

    def cross_attention(
        self, query: Tensor, memory: Sequence[BranchTokens], query_sizes: Sequence[int]
    ) -> Tensor:
        """Attention to other tokens, and output projection.

        Args:
            query: (B or 1, sum(query_sizes), C), already projected.
            memory: the tokens of each branch; not projected ones only without dropout.
            query_sizes: queries of each branch.

        Returns:
            (B, sum(query_sizes), C).
        """
        dropout = self.dropout if self.training else 0.0
        outputs = []
        for q, (key, value, projected) in zip(
            query.split(list(query_sizes), dim=1), memory, strict=True
        ):
            if projected:
                outputs.append(
                    branch_attention(
                        q, key, value, [q.shape[1]], [key.shape[1]], self.num_heads, dropout
                    )
                )
            else:
                outputs.append(
                    folded_attention(
                        q, key, value, self.in_proj_weight, self.in_proj(2, 3)[1], self.num_heads
                    )
                )
        return self.out_proj(torch.cat(outputs, dim=1))

    def self_attention(self, x: Tensor, sizes: Sequence[int], pos: Tensor | None = None) -> Tensor:
        """Attention of tokens among themselves.

        Args:
            x: (B, N, C) tokens of all branches.
            sizes: tokens of each branch; their sum is N.
            pos: (1, N, C), added to queries and keys, never to values.

        Returns:
            (B, N, C).
        """
        if pos is None:
            q, k, v = F.linear(x, *self.in_proj(0, 3)).chunk(3, dim=-1)
        else:
            q, k = F.linear(x + pos, *self.in_proj(0, 2)).chunk(2, dim=-1)
            v = F.linear(x, *self.in_proj(2, 3))
        return self.attend(q, k, v, sizes, sizes)
