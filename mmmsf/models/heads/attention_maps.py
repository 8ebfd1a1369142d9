"""Cross-attention of each class as maps over the image: what explanations are drawn from."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmmsf.utils.unwrap import unwrap_model


def weights_to_maps(weights: Sequence[Tensor], shapes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Average attention weights over the heads and give them their two axes back.

    Args:
        weights: for each branch (B, num_heads, K, h_i * w_i).
        shapes: (h_i, w_i) of each branch.

    Returns:
        For each branch (B, K, h_i, w_i).
    """
    return [
        weight.mean(dim=1).unflatten(-1, shape)
        for weight, shape in zip(weights, shapes, strict=True)
    ]


def sum_maps(maps: Sequence[Tensor]) -> Tensor:
    """Add the scales on the finest one's grid, every scale with the same weight.

    Coarser maps are resized bilinearly, each as if its cells divided the image evenly, and scaled
    to sum to one again.

    Args:
        maps: (B, K, h_i, w_i) each, every map sums to one.

    Returns:
        (B, K, h, w) of the map with the most cells; each map sums to one.
    """
    finest = max(maps, key=lambda x: x.shape[-2] * x.shape[-1])
    total = torch.zeros_like(finest)
    for x in maps:
        if x.shape != finest.shape:
            x = F.interpolate(x, finest.shape[-2:], mode='bilinear', align_corners=False)
        total = total + x / x.sum(dim=(-2, -1), keepdim=True)
    return total / len(maps)


def has_attention_maps(model: nn.Module) -> bool:
    """Whether :func:`class_attention` works for this model."""
    head = getattr(unwrap_model(model), 'head', None)
    return hasattr(head, 'attention_maps') and getattr(head, 'decoders', head) is not None


def check_attention_maps(model: nn.Module) -> None:
    """Refuse a model without cross-attention of its classes.

    Raises:
        ValueError: the head has none; names the heads that have.
    """
    if not has_attention_maps(model):
        head = getattr(unwrap_model(model), 'head', None)
        raise ValueError(
            f'{type(head).__name__} has no cross-attention to show here; MSFHead with '
            'num_decoder_layers of at least 1, Query2LabelHead and MLDecoderHead have'
        )


@torch.no_grad()
def class_attention(model: nn.Module, inputs: Tensor, layer: int = -1) -> list[Tensor]:
    """Attention of every class over every scale of a classifier.

    Args:
        model: an ``ImageClassifier`` in evaluation mode, perhaps in a wrapper of MMEngine.
        inputs: (B, 3, H, W), preprocessed.
        layer: number of the decoder layer, by default the last.

    Returns:
        For each scale (B, K, h_i, w_i), averaged over the heads; each map sums to one.

    Raises:
        ValueError: the head has no cross-attention, or no such layer.
    """
    check_attention_maps(model)
    classifier = unwrap_model(model)
    return classifier.head.attention_maps(classifier.extract_feat(inputs), layer)
