"""Maps of where a model finds each class: cross-attention, or class activation maps."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmpretrain.models.heads import CSRAClsHead
from mmpretrain.models.necks import GlobalAveragePooling
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmmsf.models.decisions import model_groups, set_labels
from mmmsf.utils.unwrap import unwrap_model

from .contract import LINEAR_HEADS, offers_attention


def weights_to_maps(weights: Sequence[Tensor], shapes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Average attention weights over the heads and restore their two axes.

    Args:
        weights: For each branch (B, num_heads, K, h_i * w_i).
        shapes: (h_i, w_i) of each branch.

    Returns:
        For each branch (B, K, h_i, w_i).
    """
    return [
        weight.mean(dim=1).unflatten(-1, shape)  # (B, K, h_i, w_i)
        for weight, shape in zip(weights, shapes, strict=True)
    ]


def activation_maps(x: Tensor, weight: Tensor) -> Tensor:
    """Compute class activation maps of a head that is linear in a feature map.

    The evidence for class k at a place is ``weight[k] @ x[b, :, i, j]``; the class's logit is its
    mean over the places plus a bias. Negative evidence is set to zero, since a map shows where a
    class is, not where it is not; then each map is divided by its sum. A class without positive
    evidence at any place gets a uniform map.

    Source: Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016, with
    the rectification of Selvaraju et al., "Grad-CAM", ICCV 2017.

    Args:
        x: (B, C, h, w).
        weight: (K, C), one row a class.

    Returns:
        (B, K, h, w), float32; each map sums to one.
    """
    _, _, h, w = x.shape
    evidence = F.conv2d(x.float(), weight.float()[:, :, None, None]).clamp(min=0)  # (B, K, h, w)
    total = evidence.sum(dim=(-2, -1), keepdim=True)
    return torch.where(total > 0, evidence / total, 1 / (h * w))


def sum_maps(maps: Sequence[Tensor]) -> Tensor:
    """Average the scales on the finest grid, every scale with the same weight.

    Coarser maps are resized bilinearly, each as if its cells divided the image evenly, and
    normalised again.

    Args:
        maps: (B, K, h_i, w_i) each; every map sums to one.

    Returns:
        (B, K, h, w) of the map with the most cells; each map sums to one. K may be 0.
    """
    finest = max(maps, key=lambda x: x.shape[-2] * x.shape[-1])
    if not finest.numel():  # an image without a label; torch resizes no empty maps
        return finest
    total = torch.zeros_like(finest)
    for x in maps:
        if x.shape != finest.shape:
            x = F.interpolate(x, finest.shape[-2:], mode='bilinear', align_corners=False)
        total = total + x / x.sum(dim=(-2, -1), keepdim=True)
    return total / len(maps)


def map_kind(model: nn.Module) -> str | None:
    """Name the maps that :func:`predict_with_maps` computes for a classifier.

    Exact types are compared: a subclass may compute anything between the map and the logits.

    Returns:
        ``'attention'``; ``'activation'`` for a head of MMPretrain that is linear in the last map,
        which is CSRA, or a linear layer after global average pooling; None for any other.
    """
    classifier = unwrap_model(model)
    head, neck = (getattr(classifier, name, None) for name in ('head', 'neck'))
    if offers_attention(head):
        return 'attention'
    pooled = type(neck) is GlobalAveragePooling
    if type(head) is CSRAClsHead or (type(head) in LINEAR_HEADS and pooled):
        return 'activation'
    return None


def check_class_maps(model: nn.Module) -> None:
    """Check that a classifier has maps to show.

    Raises:
        ValueError: It has neither attention nor class activation maps; names the head.
    """
    if map_kind(model) is None:
        head = getattr(unwrap_model(model), 'head', None)
        raise ValueError(
            f'{type(head).__name__} has no attention here, and no class activation maps; a head '
            'offers attention by a method `attention_maps` (mmmsf/models/heads/contract.py)'
        )


@torch.no_grad()
def predict_with_maps(
    model: nn.Module,
    inputs: Tensor,
    data_samples: list[DataSample] | None = None,
    layer: int = -1,
) -> tuple[list[DataSample], list[Tensor]]:
    """Predict a batch and compute the maps of every class from the same features.

    Args:
        model: ``ImageClassifier`` in evaluation mode, possibly in a wrapper of MMEngine.
        inputs: (B, 3, H, W), preprocessed.
        data_samples: B samples that receive the prediction; new ones by default.
        layer: Number of the decoder layer, by default the last. Class activation maps have one.

    Returns:
        The B samples, and for each scale (B, K, h_i, w_i); each map sums to one.

    Raises:
        ValueError: The model has no maps (:func:`check_class_maps`), or no such layer.
    """
    check_class_maps(model)
    classifier = unwrap_model(model)
    head = classifier.head
    last = classifier.extract_feat(inputs, stage='backbone')
    feats = classifier.neck(last) if classifier.with_neck else last
    samples = head.predict(feats, data_samples)
    if model_groups(classifier):
        samples = set_labels(classifier, samples)
    if offers_attention(head):
        return samples, head.attention_maps(feats, layer)
    if layer not in (0, -1):
        raise ValueError(f'`layer` must be 0 or -1 for class activation maps, got {layer}')
    if type(head) is CSRAClsHead:
        kernels = [module.head.weight for module in head.csra_heads]  # (K, C, 1, 1) each
        weight = torch.stack([x / x.norm(dim=1, keepdim=True) for x in kernels]).sum(dim=0)
        return samples, [activation_maps(feats[-1], weight.flatten(1))]
    return samples, [activation_maps(last[-1], head.fc.weight)]
