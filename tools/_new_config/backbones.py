"""Networks for own data, each with the map that its pretrained classifier pools."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KEPT_NORMS = dict(norm_eval=True)
# As in configs/msf/msf-ours_efficientnet-lite0_1xb16-12e_voc-mini-224px.py
LAST_RATE, RATE_DECAY = 0.3, 2 / 3
IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


@dataclass(frozen=True)
class Backbone:
    """Hold a network whose last map is the one that its pretrained classifier pools.

    Attributes:
        arguments: Arguments of the backbone in a config.
        frozen: Further arguments that freeze it.
        stages: Channels of the maps for the neck, the larger map first.
        final: Channels of the last map.
        hub: Name in MMPretrain's model index, or None.
        pixels: Mean and deviation of the pixels.
        interpolation: Mode of resizing in the pretraining.
        sized: True if the network needs the image size, as ``img_size``.
        trained: Further arguments of pretrained weights that are trained: batch norms keep their
            statistics, since those of small batches and sets are worse.
        parts: Beginnings of parameter names, part by part from the output towards the input; what
            is not named comes before them. Each part learns more slowly than the one behind it.
    """

    arguments: Mapping[str, Any]
    frozen: Mapping[str, Any]
    stages: tuple[int, ...]
    final: int
    hub: str | None
    pixels: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET
    interpolation: str = 'bicubic'
    sized: bool = False
    trained: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[tuple[str, ...], ...] = ()

    def rates(self) -> dict[str, dict[str, float]]:
        """Return the part of the head's rate at which each part of the backbone learns."""
        prefixes = [[f'.{name}' for name in names] for names in self.parts] + [['']]
        return {
            f'backbone{prefix}': dict(lr_mult=round(LAST_RATE * RATE_DECAY**depth, 2))
            for depth, names in enumerate(prefixes)
            for prefix in names
        }


def _resnet(depth: int, channels: int) -> Backbone:
    return Backbone(
        dict(type='ResNet', depth=depth, out_indices=(2, 3)),
        dict(frozen_stages=4, **KEPT_NORMS),
        (channels // 2, channels),
        channels,
        f'resnet{depth}_8xb32_in1k',
        interpolation='bilinear',
        trained=KEPT_NORMS,
        parts=(('layer4.',), ('layer3.',), ('layer2.',), ('layer1.',)),
    )


def _efficientnet_lite(variant: str, stages: tuple[int, int]) -> Backbone:
    return Backbone(
        dict(
            type='mmmsf.FrozenTIMMBackbone',
            model_name=f'tf_efficientnet_{variant}',
            features_only=True,
            out_indices=(3, 4),
            with_final_map=True,
        ),
        dict(frozen=('conv_stem', 'bn1', 'blocks', 'conv_head', 'bn2')),
        stages,
        1280,
        None,
        ((127.0, 127.0, 127.0), (128.0, 128.0, 128.0)),
        trained=KEPT_NORMS,
        parts=(
            ('timm_model.conv_head', 'timm_model.bn2.', 'timm_model.blocks.6.'),
            ('timm_model.blocks.5.',),
            ('timm_model.blocks.4.',),
            ('timm_model.blocks.3.',),
        ),
    )


BACKBONES = {
    'resnet18': _resnet(18, 512),
    'resnet50': _resnet(50, 2048),
    'resnet101': _resnet(101, 2048),
    'convnext-tiny': Backbone(
        dict(type='ConvNeXt', arch='tiny', out_indices=(2, 3), gap_before_final_norm=False),
        dict(frozen_stages=4),
        (384, 768),
        768,
        'convnext-tiny_32xb128_in1k',
        parts=(
            ('stages.3.', 'downsample_layers.3.', 'norm3.'),
            ('stages.2.', 'downsample_layers.2.', 'norm2.'),
            ('stages.1.', 'downsample_layers.1.'),
            ('stages.0.',),
        ),
    ),
    'swin-tiny': Backbone(
        dict(type='SwinTransformer', arch='tiny', out_indices=(2, 3), pad_small_map=True),
        dict(frozen_stages=3),
        (384, 768),
        768,
        'swin-tiny_16xb64_in1k',
        sized=True,
        parts=(('stages.3.', 'norm3.'), ('stages.2.', 'norm2.'), ('stages.1.',), ('stages.0.',)),
    ),
    'vit-base': Backbone(  # with the weights of DeiT-B, trained at 224 px
        dict(type='VisionTransformer', arch='deit-base', out_type='featmap'),
        dict(frozen_stages=12),
        (768,),
        768,
        'deit-base_16xb64_in1k',
        sized=True,
        parts=(
            ('layers.9.', 'layers.10.', 'layers.11.', 'ln1.'),
            ('layers.6.', 'layers.7.', 'layers.8.'),
            ('layers.3.', 'layers.4.', 'layers.5.'),
            ('layers.0.', 'layers.1.', 'layers.2.'),
        ),
    ),
    'mobilenet-v3-large': Backbone(
        dict(type='MobileNetV3', arch='large', out_indices=(12, 15, 16)),
        dict(frozen_stages=16),
        (112, 160),
        960,
        'mobilenet-v3-large_8xb128_in1k',
        interpolation='bilinear',
        trained=KEPT_NORMS,
        parts=(
            ('layer13.', 'layer14.', 'layer15.', 'layer16.'),
            ('layer11.', 'layer12.'),
            ('layer7.', 'layer8.', 'layer9.', 'layer10.'),
            ('layer4.', 'layer5.', 'layer6.'),
        ),
    ),
    'efficientnet-b0': Backbone(
        dict(type='EfficientNet', arch='b0', out_indices=(4, 5, 6)),
        dict(frozen_stages=7),
        (112, 320),
        1280,
        'efficientnet-b0_3rdparty_8xb32_in1k',
        trained=KEPT_NORMS,
        parts=(('layers.5.', 'layers.6.'), ('layers.4.',), ('layers.3.',), ('layers.2.',)),
    ),
    'efficientnet-lite0': _efficientnet_lite('lite0', (112, 320)),
    'efficientnet-lite1': _efficientnet_lite('lite1', (112, 320)),
    'efficientnet-lite2': _efficientnet_lite('lite2', (120, 352)),
}
