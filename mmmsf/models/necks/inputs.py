"""Checked inputs of necks."""

from collections.abc import Sequence

from torch import Tensor


def check_maps(
    inputs: Sequence[Tensor], in_channels: Sequence[int], one_more: bool, least: int
) -> None:
    """Check number, channels and size of a backbone's maps.

    Args:
        inputs: The backbone's maps.
        in_channels: Channels of each map.
        one_more: If True, one further map of any channels may follow.
        least: Smallest height and width of the last map of ``in_channels``.

    Raises:
        ValueError: The maps are not as configured.
    """
    got, number = [tuple(x.shape) for x in inputs], len(in_channels)
    if len(inputs) != number and not (one_more and len(inputs) == number + 1):
        more = ' and possibly one to hand on' if one_more else ''
        raise ValueError(
            f'MSFNeck was built with in_channels={list(in_channels)} and takes '
            f'{number} feature maps{more}, but the backbone gave {len(inputs)} with '
            f"shapes {got}. Set the backbone's `out_indices` or the neck's `in_channels`."
        )
    for shape, channels in zip(got, in_channels, strict=False):
        if len(shape) != 4 or shape[1] != channels:
            raise ValueError(
                'MSFNeck takes maps of shape (B, C, h, w) with '
                f'C = in_channels = {list(in_channels)}, but the backbone gave shapes {got}. '
                "Set the neck's `in_channels`, or `out_type='featmap'` for a ViT."
            )
    if least > 1 and min(got[number - 1][-2:]) < least:
        raise ValueError(
            'with stride_padding=0 the 3x3 convolution of the small scale needs a last map of '
            f'at least {least} x {least}, but the backbone gave shapes {got}. Use larger '
            'images or stride_padding=1.'
        )
