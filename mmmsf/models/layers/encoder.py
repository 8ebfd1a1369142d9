"""Global feature enhancement: post-norm Transformer encoder (Eq 8-9)."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from .attention import MultiheadAttention
from .feedforward import FeedForward


class EncoderLayer(nn.Module):
    """Self-attention, add & norm, feed-forward, add & norm.

    Args:
        embed_dims: Number of channels C of a token.
        num_heads: Number of attention heads.
        feedforward_channels: Number of hidden channels of the feed-forward part.
        act: Factory of the activation module.
        dropout: Dropout probability of attention, feed-forward part and residuals.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        feedforward_channels: int,
        act: Callable[[], nn.Module] = nn.ReLU,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.self_attn = MultiheadAttention(embed_dims, num_heads, dropout)
        self.norm1 = nn.LayerNorm(embed_dims)
        self.ffn = FeedForward(embed_dims, feedforward_channels, act, dropout)
        self.norm2 = nn.LayerNorm(embed_dims)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, sizes: Sequence[int], pos: Tensor | None = None) -> Tensor:
        """Encode tokens; arguments and shapes as :meth:`Encoder.forward`."""
        x = self.norm1(x + self.dropout(self.self_attn.self_attention(x, sizes, pos)))
        return self.norm2(x + self.dropout(self.ffn(x)))


class Encoder(nn.Module):
    """A stack of :class:`EncoderLayer`; with ``num_layers=0`` the identity.

    All token-wise work runs once over the tokens of all branches; only the attention itself runs
    branch by branch.

    Args:
        num_layers: Number of layers m (Fig 5).
        embed_dims: Number of channels C of a token.
        num_heads: Number of attention heads.
        feedforward_channels: Number of hidden channels of the feed-forward part.
        act: Factory of the activation module.
        dropout: Dropout probability.
    """

    def __init__(
        self,
        num_layers: int,
        embed_dims: int,
        num_heads: int,
        feedforward_channels: int,
        act: Callable[[], nn.Module] = nn.ReLU,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderLayer(embed_dims, num_heads, feedforward_channels, act, dropout)
            for _ in range(num_layers)
        )

    def forward(self, x: Tensor, sizes: Sequence[int], pos: Tensor | None = None) -> Tensor:
        """Encode the tokens of all branches.

        Args:
            x: Tokens (B, N, C), the branches side by side.
            sizes: Number of tokens of each branch; their sum is N.
            pos: Positions (1, N, C), added to the queries and keys of every layer.

        Returns:
            Encoded tokens (B, N, C).
        """
        for layer in self.layers:
            x = layer(x, sizes, pos)
        return x
