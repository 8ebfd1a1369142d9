"""ONNX export: ``python tools/deployment/export_onnx.py CONFIG CHECKPOINT --out model.onnx``.

The graph maps RGB images, float32 (B, 3, H, W) of 0 to 255, to scores (B, K) and contains
normalisation, sigmoid and the checkpoint's calibration. ``mmmsf/deploy/onnx_classifier.py`` runs
it without torch.
"""

import argparse
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import add_calibration_argument, harden

# A note of onnxscript, as a warning, on nodes that it leaves as they are.
_FOLDING = 'onnxscript.optimizer._constant_folding'
_SKIPPED = 'Skipping constant folding for op'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Export a model as ONNX and check it.')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', required=True, metavar='FILE', help='ONNX file to write')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('H', 'W'),
        help="image size in pixels (default: the test pipeline's)",
    )
    parser.add_argument(
        '--dynamic-size', action='store_true', help='accept images of any size; checked at two'
    )
    parser.add_argument('--opset', type=int, default=18, help='default: %(default)s')
    parser.add_argument(
        '--no-check', action='store_true', help='do not compare with the torch model'
    )
    parser.add_argument(
        '--image',
        nargs='+',
        default=[],
        metavar='FILE',
        help='images to check with (default: the first of the test set)',
    )
    add_calibration_argument(parser)
    args = parser.parse_args()
    if not args.out.endswith('.onnx'):
        parser.error(f'--out must end in .onnx, got {args.out}')
    if args.opset < 18:
        parser.error(f'--opset must be at least 18, got {args.opset}')
    if args.size is not None and min(args.size) < 1:
        parser.error(f'--size must be positive, got {args.size}')
    return args


def main() -> None:
    args = parse_args()
    harden()

    from mmmsf.checkpoint.loading import load_model
    from mmmsf.deploy.export import export_onnx

    logging.getLogger(_FOLDING).addFilter(lambda x: not str(x.msg).startswith(_SKIPPED))
    try:
        loaded = load_model(args.checkpoint, args.config, 'cpu', args.calibration)
        meta = export_onnx(
            loaded,
            args.out,
            None if args.size is None else tuple(args.size),
            args.dynamic_size,
            args.opset,
            not args.no_check,
            args.image,
        )
    except ImportError as error:
        raise SystemExit(f"nothing written: {error}; pip install 'mmmsf[export]'") from error
    except (OSError, ValueError) as error:
        raise SystemExit(f'nothing written: {error}') from error
    size = 'any size' if meta['size'] is None else f'{meta["size"][0]} x {meta["size"][1]} px'
    batch = 'any batch' if meta['batch'] is None else 'one image at a time'
    scores = 'calibrated scores' if meta['folded']['calibration'] else 'scores'
    checked = (
        'not checked'
        if meta['difference'] is None
        else f'{scores} equal to the torch model within {meta["difference"]:.1e}'
    )
    print(
        f'{args.out}: {len(meta["classes"])} classes, {size}, {batch}, '
        f'{Path(args.out).stat().st_size:,} bytes; {checked}'
    )


if __name__ == '__main__':
    main()
