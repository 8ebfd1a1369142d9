"""Checked inputs of heads."""

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


def scale_maps(
    feats: Sequence[Tensor], num_scales: int, embed_dims: int, pooling_channels: int | None
) -> Sequence[Tensor]:
    """Return the maps of the scales after checking number and channels of all.

    Args:
        feats: Maps of the neck.
        num_scales: Number of scales S.
        embed_dims: Channels C of their maps.
        pooling_channels: Channels of one more map at the end; None if there is none.

    Returns:
        S maps (B, C, h_i, w_i).

    Raises:
        ValueError: The maps are not as configured.
    """
    got = [tuple(x.shape) for x in feats]
    channels, rule = [embed_dims] * num_scales, f'num_scales={num_scales}'
    if pooling_channels is not None:
        channels.append(pooling_channels)
        rule += f' and pooling_channels={pooling_channels}'
    if len(got) != len(channels):
        raise ValueError(
            f'MSFHead was built with {rule}, but the neck gave {len(got)} maps of shapes {got}. '
            "Set `num_scales` to the number of the neck's `scales`, and its `passthrough` to True "
            'for a head with `pooling_channels`, else to False.'
        )
    if any(len(shape) != 4 or shape[1] != C for shape, C in zip(got, channels, strict=True)):
        raise ValueError(
            f'MSFHead takes maps of shape (B, {embed_dims}, h, w) (embed_dims={embed_dims}), with '
            f'{rule} of channels {channels}, but the neck gave shapes {got}.'
        )
    return feats[:num_scales]
