"""Checked inputs of heads that read one feature map."""

from collections.abc import Sequence

from torch import Tensor


def last_map(feats: Sequence[Tensor], in_channels: int, head: str) -> Tensor:
    """Return the last feature map after checking its shape.

    Args:
        feats: Feature maps; only the last one is read.
        in_channels: Channels that it must have.
        head: Name of the head, for the message.

    Returns:
        (B, in_channels, h, w).

    Raises:
        ValueError: There is no map, or the last one has another shape.
    """
    got = [tuple(x.shape) for x in feats]
    if not got or len(got[-1]) != 4 or got[-1][1] != in_channels:
        raise ValueError(
            f'{head} takes a last map of shape (B, {in_channels}, h, w) '
            f'(in_channels={in_channels}), but the backbone gave shapes {got}. Set '
            "the head's `in_channels`, and leave out a pooling neck."
        )
    return feats[-1]
