"""Convert a checkpoint of the authors' released code: ``tbaln_to_mmmsf.py SRC DST``.

The result fits the authors' profile, for example
``configs/msf/msf-authors_resnet101_6xb21-80e_coco14-448px.py``.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden

CONFIG = Path('configs/msf/msf-authors_resnet101_6xb21-80e_coco14-448px.py')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Convert a checkpoint of the authors' released code (TBALN, ResNet-101)."
    )
    parser.add_argument('src', type=Path, help='checkpoint in the released naming')
    parser.add_argument('dst', type=Path, help='checkpoint to write')
    parser.add_argument(
        '--image-size',
        type=int,
        help='side in pixels of the training images (default: what the checkpoint names)',
    )
    parser.add_argument(
        '--num-classes-check',
        type=int,
        metavar='K',
        help='refuse checkpoints with another number of classes',
    )
    args = parser.parse_args()
    if not args.src.is_file():
        parser.error(f'no such file: {args.src}')
    if not args.dst.parent.is_dir():
        parser.error(f'no such folder: {args.dst.parent}')
    if args.dst.resolve() == args.src.resolve():
        parser.error('SRC and DST must be two files')
    return args


def main() -> None:
    args = parse_args()
    harden()

    import _tbaln as tbaln
    from mmengine.config import Config
    from mmpretrain.registry import MODELS

    import mmmsf
    from mmmsf.checkpoint.files import read_file, write_checkpoint

    try:
        checkpoint = read_file(args.src)
        released, other_types = tbaln.to_float32(tbaln.unwrap(checkpoint))
        num_classes = tbaln.count_classes(released)
        if args.num_classes_check not in (None, num_classes):
            raise ValueError(
                f'the checkpoint must have {args.num_classes_check} classes, got {num_classes}'
            )
        image_size = args.image_size or tbaln.trained_image_size(checkpoint)
        if image_size is None:
            raise ValueError(
                'names no image size in `arch` or `args`; give that of the training: --image-size'
            )
        model_cfg = Config.fromfile(Path(__file__).resolve().parents[2] / CONFIG).model
        model_cfg.head.num_classes = num_classes
        expected = {name: x.shape for name, x in MODELS.build(model_cfg).state_dict().items()}
        converted = tbaln.convert_tbaln(released, expected, image_size)
    except (OSError, ValueError) as error:
        raise SystemExit(f'{args.src}: {error}') from None
    write_checkpoint(
        args.dst, dict(state_dict=converted, meta=dict(mmmsf_version=mmmsf.__version__))
    )
    if other_types:
        print(f'{args.src}: {", ".join(other_types)} converted to float32')
    print(
        f'{args.dst}: {len(converted)} tensors, {num_classes} classes, trained at {image_size} px, '
        f'{CONFIG.name}'
    )


if __name__ == '__main__':
    main()
