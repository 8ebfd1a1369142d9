"""Data-dependent initialization: convolutions scaled so that their maps have a given deviation."""

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn


@torch.no_grad()
def scale_conv(conv: nn.Conv2d, x: Tensor, deviation: float) -> float:
    """Scale weight and bias in place so that the maps of a batch have a given deviation.

    The deviation is taken over images, channels and places. All ranks must call this together and
    get the same factor, from the mean of their moments.

    Source: Mishkin and Matas, "All you need is a good init", ICLR 2016, without its orthogonal
    start; one step is exact, as nothing but the convolution lies between weight and map.

    Args:
        conv: Convolution, changed in place.
        x: Its input (B, C, h, w).
        deviation: Wanted standard deviation of the maps.

    Returns:
        The factor. It is 1 if the maps are constant or not finite.
    """
    # Not under the caller's autocast, which would keep the cast of the weight before it is scaled.
    with torch.autocast(x.device.type, enabled=False):
        maps = conv(x.to(conv.weight)).float()
    moments = torch.stack([maps.mean(), maps.square().mean()])
    all_reduce(moments, 'mean')
    mean, square = moments.tolist()
    variance = square - mean**2
    if not 0 < variance < float('inf'):
        return 1.0
    factor = deviation / variance**0.5
    conv.weight.mul_(factor)
    if conv.bias is not None:
        conv.bias.mul_(factor)
    return factor
