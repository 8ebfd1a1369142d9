"""Publication of a checkpoint: ``python tools/publish_model.py IN.pth OUT(.pth|.safetensors)``.

The file keeps the weights, the config, the class names, the thresholds, the calibration and the
metrics, without the state of the training.
"""

import argparse
import json
import os
from pathlib import Path

from _cli import harden

SUFFIXES = ('.pth', '.safetensors')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Strip a checkpoint to what prediction needs.')
    parser.add_argument('src', metavar='IN', type=Path, help='checkpoint of a training')
    parser.add_argument('dst', metavar='OUT', type=Path, help='file to write')
    parser.add_argument(
        '--raw-weights',
        action='store_true',
        help='keep the weights as trained, where the training kept an average of them (EMAHook); '
        'by default the average, which was validated',
    )
    parser.add_argument(
        '--metrics',
        type=Path,
        metavar='FILE',
        help='metrics.json to store (default: val/metrics.json beside IN, if IN is the last '
        'checkpoint of its training)',
    )
    parser.add_argument(
        '--hash',
        action='store_true',
        help="append the first 8 digits of the file's SHA-256 to its name",
    )
    args = parser.parse_args()
    if args.dst.suffix not in SUFFIXES:
        parser.error(f'OUT must end in one of {", ".join(SUFFIXES)}, got {args.dst}')
    if args.dst.resolve() == args.src.resolve():
        parser.error('IN and OUT must be two files')
    return args


def find_metrics(args: argparse.Namespace) -> dict | None:
    """Read the metrics of the weights; None where no file certainly belongs to them."""
    path = args.metrics
    if path is None:
        last = args.src.parent / 'last_checkpoint'
        if (
            args.raw_weights
            or not last.is_file()
            or Path(last.read_text(encoding='utf-8').strip()).name != args.src.name
        ):
            return None
        path = args.src.parent / 'val/metrics.json'
        if not path.is_file():
            return None
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path} is not JSON: {error}') from error


def main() -> None:
    args = parse_args()
    harden()

    from _publish import file_hash, published

    from mmmsf.checkpoint.files import read_checkpoint, write_checkpoint

    try:
        found = published(read_checkpoint(args.src), find_metrics(args), args.raw_weights)
        write_checkpoint(args.dst, found)
        if args.hash:
            named = args.dst.with_stem(f'{args.dst.stem}-{file_hash(args.dst)[:8]}')
            os.replace(args.dst, named)
            args.dst = named
    except (OSError, ValueError) as error:
        raise SystemExit(f'nothing written: {args.src}: {error}') from error
    meta = found['meta']
    print(
        f'{args.dst}: {len(found["state_dict"])} tensors, {args.dst.stat().st_size:,} bytes (was '
        f'{args.src.stat().st_size:,}), SHA-256 {file_hash(args.dst)}'
    )
    print('carries: ' + ', '.join(['weights', *sorted(meta)]))


if __name__ == '__main__':
    main()
