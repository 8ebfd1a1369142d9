"""Int8 quantisation: ``quantize_onnx.py MODEL.onnx CONFIG --out int8.onnx``."""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden, load_config


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Quantise an exported model to int8 with training images through the test '
        'pipeline, and measure both on the validation set.'
    )
    parser.add_argument('model', help='file of tools/deployment/export_onnx.py')
    parser.add_argument('config', help='config file')
    parser.add_argument('--out', required=True, metavar='FILE', help='ONNX file to write')
    parser.add_argument(
        '--num-images',
        type=int,
        default=100,
        help='training images to calibrate with (default: %(default)s)',
    )
    parser.add_argument(
        '--num-val',
        type=int,
        metavar='N',
        help='measure on the first N validation images only (default: all)',
    )
    parser.add_argument('--seed', type=int, default=0, help='of the choice of training images')
    args = parser.parse_args()
    if not args.out.endswith('.onnx'):
        parser.error(f'--out must end in .onnx, got {args.out}')
    if args.num_images < 1:
        parser.error(f'--num-images must be at least 1, got {args.num_images}')
    return args


def min_positives(evaluators: Any) -> int:
    """Return the evaluator's ``min_positives``: its mean leaves out rarer classes."""
    listed = evaluators if isinstance(evaluators, list) else [evaluators or {}]
    return max(evaluator.get('min_positives', 0) for evaluator in listed)


def main() -> None:
    args = parse_args()
    harden()

    try:
        import numpy as np

        from mmmsf.deploy.pipeline_images import build_dataset, dataset_images, set_pipeline_size
        from mmmsf.deploy.quantize import mean_ap, quantize_onnx, read_meta

        cfg, resize = load_config(args.config), read_meta(args.model)['resize']
        if cfg.get('val_dataloader') is None:
            raise ValueError(f'{args.config} has no `val_dataloader`')
        pipeline = set_pipeline_size(
            cfg.val_dataloader.dataset.pipeline, resize and (resize['height'], resize['width'])
        )
        train, val = (
            build_dataset(cfg, f'{split}_dataloader', pipeline) for split in ('train', 'val')
        )
        chosen = np.random.default_rng(args.seed).permutation(len(train))[: args.num_images]
        quantize_onnx(args.model, args.out, dataset_images(train, chosen))
        print(f'{args.out}: calibrated with {len(chosen)} training images (seed {args.seed})')
        least = min_positives(cfg.get('val_evaluator'))
        for name, path in (('fp32', args.model), ('int8', args.out)):
            print(
                f'{name}: mAP {mean_ap(path, val, args.num_val, min_positives=least):.2f} % on '
                f'{min(args.num_val or len(val), len(val))} validation images, '
                f'{Path(path).stat().st_size:,} bytes'
            )
    except ImportError as error:
        raise SystemExit(f"nothing written: {error}; pip install 'mmmsf[export]'") from error
    except (OSError, ValueError) as error:
        raise SystemExit(f'stopped: {error}') from error


if __name__ == '__main__':
    main()
