"""The two-layer perceptron of a Transformer layer."""

from collections.abc import Callable

from torch import Tensor, nn


class FeedForward(nn.Module):
    """Linear, activation, dropout, linear (Eq 9).

    Args:
        embed_dims: Number of input and output channels C.
        feedforward_channels: Number of channels of the hidden layer.
        act: Factory of the activation module.
        dropout: Probability of dropping a hidden unit in training.
    """

    def __init__(
        self,
        embed_dims: int,
        feedforward_channels: int,
        act: Callable[[], nn.Module] = nn.ReLU,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.linear1 = nn.Linear(embed_dims, feedforward_channels)
        self.act = act()
        self.dropout = nn.Dropout(dropout)
        self.linear2 = nn.Linear(feedforward_channels, embed_dims)
        nn.init.xavier_uniform_(self.linear1.weight)
        nn.init.xavier_uniform_(self.linear2.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C) to (..., C)."""
        return self.linear2(self.dropout(self.act(self.linear1(x))))
