"""What heads that read one map take from the backbone."""

from collections.abc import Sequence

from torch import Tensor


def last_map(feats: Sequence[Tensor], in_channels: int, head: str) -> Tensor:
    """The last of the maps, checked.

    Args:
        feats: maps; only the last one is read.
        in_channels: channels it must have.
        head: name of the reader, for the message.

    Returns:
        (B, in_channels, h, w).

    Raises:
        ValueError: there is no map, or the last one is not of that shape.
    """
    got = [tuple(x.shape) for x in feats]
    if not got or len(got[-1]) != 4 or got[-1][1] != in_channels:
        raise ValueError(
            f'{head} takes a last map of shape (B, {in_channels}, h, w) '
            f'(in_channels={in_channels}), but the backbone gave shapes {got}. Set '
            "the head's `in_channels`, and leave out a pooling neck."
        )
    return feats[-1]
