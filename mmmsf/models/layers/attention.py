"""Multi-head attention over the tokens of several branches that lie side by side."""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def split_branches(
    x: Tensor, sizes: Sequence[int], num_heads: int, num_parts: int = 1
) -> list[tuple[Tensor, ...]]:
    """Split projected tokens into branches, parts and heads.

    Args:
        x: Tokens (B, N, P * C) of all branches side by side; P projections, such as query, key and
            value, lie side by side in the channels.
        sizes: Number of tokens N_i of each branch; their sum is N.
        num_heads: Number of heads H that share the C channels.
        num_parts: Number of projections P.

    Returns:
        For each branch its P parts (B, H, N_i, C / H), views of ``x``.
    """
    B, N, channels = x.shape
    head_dims = channels // (num_parts * num_heads)
    x = x.view(B, N, num_parts, num_heads, head_dims).permute(2, 0, 3, 1, 4)  # (P, B, H, N, D)
    return [branch.unbind() for branch in x.split(list(sizes), dim=3)]


def branch_attention(branches: Iterable[Sequence[Tensor]], dropout: float = 0.0) -> Tensor:
    """Compute scaled dot-product attention within each branch.

    Args:
        branches: Query (B or 1, H, Q_i, D), key (B, H, N_i, D) and value (B, H, N_i, D) of each
            branch. A query of batch size one serves every image.
        dropout: Probability of dropping an attention weight.

    Returns:
        Tokens (B, sum of Q_i, H * D), the branches side by side.
    """
    outputs = []
    for query, key, value in branches:
        B, _, _, _ = key.shape
        query = query.expand(B, -1, -1, -1)
        attended = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        outputs.append(attended.transpose(1, 2))  # (B, Q_i, H, D)
    return torch.cat(outputs, dim=1).flatten(2)  # (B, Q, H * D)


def branch_attention_weights(branches: Iterable[Sequence[Tensor]]) -> list[Tensor]:
    """Compute the weights that :func:`branch_attention` applies to the values.

    Not used in training or prediction: all weights are held in memory.

    Args:
        branches: Query (B or 1, H, Q_i, D) and key (B, H, N_i, D) of each branch.

    Returns:
        For each branch (B, H, Q_i, N_i); each row sums to one.
    """
    weights = []
    for query, key in branches:
        scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5  # (B, H, Q_i, N_i)
        weights.append(scores.softmax(dim=-1))
    return weights


class MultiheadAttention(nn.Module):
    """Multi-head attention with one fused weight for query, key and value.

    Parameters have the names and shapes of :class:`torch.nn.MultiheadAttention`, so weights copy
    in both directions. The projections are available by name, so that a caller can project the
    tokens of all branches, or the keys of several layers, in one product:
    ``F.linear(x, *attention.kv_proj)``.

    Args:
        embed_dims: Number of channels C; a multiple of ``num_heads``.
        num_heads: Number of heads.
        dropout: Probability of dropping an attention weight in training.

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

    @property
    def q_proj(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the query projection."""
        C = self.embed_dims
        return self.in_proj_weight[:C], self.in_proj_bias[:C]

    @property
    def k_proj(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the key projection."""
        C = self.embed_dims
        return self.in_proj_weight[C : 2 * C], self.in_proj_bias[C : 2 * C]

    @property
    def v_proj(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the value projection."""
        C = self.embed_dims
        return self.in_proj_weight[2 * C :], self.in_proj_bias[2 * C :]

    @property
    def qk_proj(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of query and key projection in one product."""
        C = self.embed_dims
        return self.in_proj_weight[: 2 * C], self.in_proj_bias[: 2 * C]

    @property
    def kv_proj(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of key and value projection in one product."""
        C = self.embed_dims
        return self.in_proj_weight[C:], self.in_proj_bias[C:]

    def attend(self, branches: Iterable[Sequence[Tensor]]) -> Tensor:
        """Attend within each branch and project the result.

        Args:
            branches: Query, key and value of each branch, see :func:`branch_attention`.

        Returns:
            Tokens (B, Q, C), the branches side by side.
        """
        return self.out_proj(branch_attention(branches, self.dropout if self.training else 0.0))

    def self_attention(self, x: Tensor, sizes: Sequence[int], pos: Tensor | None = None) -> Tensor:
        """Let the tokens of each branch attend to each other.

        Args:
            x: Tokens (B, N, C) of all branches.
            sizes: Number of tokens of each branch; their sum is N.
            pos: Positions (1, N, C), added to queries and keys, not to values.

        Returns:
            Tokens (B, N, C).
        """
        if pos is None:
            qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)
            return self.attend(split_branches(qkv, sizes, self.num_heads, 3))
        qk = split_branches(F.linear(x + pos, *self.qk_proj), sizes, self.num_heads, 2)
        value = split_branches(F.linear(x, *self.v_proj), sizes, self.num_heads)
        return self.attend([(q, k, v) for (q, k), (v,) in zip(qk, value, strict=True)])
