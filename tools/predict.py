"""Labels of images: ``python tools/predict.py [CONFIG] CHECKPOINT INPUT... --out-dir DIR``."""

import argparse
import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from _cli import add_calibration_argument, add_fast_arguments, fast_options, harden

CONFIG_SUFFIXES = ('.py', '.json', '.yaml', '.yml')
USAGE = (
    'predict.py [-h] [CONFIG] CHECKPOINT INPUT [INPUT ...] --out-dir DIR [--attention] '
    '[--thr SCORE | --topk N] [--batch-size N] [--device DEVICE] [--no-calibration] '
    '[--amp] [--compile] [--no-fold] [--no-channels-last]'
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        usage=USAGE,
        description='Label images: writes predictions.csv, predictions.jsonl and '
        'pictures/ with every image and its labels. Images that cannot be used are listed, and the '
        'exit status is 1.',
    )
    parser.add_argument(
        'arguments',
        nargs='+',
        metavar='[CONFIG] CHECKPOINT INPUT',
        help='config (.py; left out or "-": the one in the checkpoint), '
        'checkpoint, and images, folders (searched recursively) or patterns',
    )
    parser.add_argument('--out-dir', required=True, metavar='DIR', help='folder to write to')
    parser.add_argument(
        '--attention',
        action='store_true',
        help='draw the attention (CSRA and linear heads: class activation map) of each label, and '
        'add boxes around it to predictions.jsonl',
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        '--thr',
        type=float,
        metavar='SCORE',
        help='threshold of all classes, in place of those in the checkpoint',
    )
    group.add_argument(
        '--topk', type=int, metavar='N', help='give the N labels with the highest scores'
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        default=16,
        metavar='N',
        help='images at once (default: %(default)s)',
    )
    parser.add_argument(
        '--device', help='for example cpu or cuda:1 (default: a GPU if there is one)'
    )
    add_calibration_argument(parser)
    add_fast_arguments(parser)
    args = parser.parse_intermixed_args()
    first = args.arguments[0]
    has_config = first == '-' or Path(first).suffix in CONFIG_SUFFIXES
    args.config = first if has_config and first != '-' else None
    rest = args.arguments[1:] if has_config else args.arguments
    if len(rest) < 2:
        parser.error('name a checkpoint and at least one image, folder or pattern')
    args.checkpoint, *args.inputs = rest
    for name in ('batch_size', 'topk'):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1, got {value}')
    out_dir = Path(args.out_dir).resolve()
    for folder in map(Path, args.inputs):
        if folder.is_dir() and out_dir.is_relative_to(folder.resolve()):
            parser.error(
                f'--out-dir {args.out_dir} must lie outside the input folder {folder}, or the next '
                'run would read its pictures as inputs'
            )
    return args


def write_results(results: Iterable[dict[str, Any]], out_dir: Path) -> list[dict[str, Any]]:
    """Write predictions.csv and predictions.jsonl; return the entries with an error.

    The CSV file has escapes in a file name that is not valid Unicode.
    """
    failed = []
    with (
        open(
            out_dir / 'predictions.csv',
            'w',
            newline='',
            encoding='utf-8',
            errors='backslashreplace',
        ) as table,
        open(out_dir / 'predictions.jsonl', 'w', encoding='utf-8') as lines,
    ):
        writer = csv.writer(table)
        writer.writerow(['path', 'labels', 'scores'])
        for result in results:
            lines.write(json.dumps(result) + '\n')
            if 'error' in result:
                failed.append(result)
                continue
            scores = ';'.join(f'{score:.4f}' for score in result['scores'])
            writer.writerow([result['path'], ';'.join(result['labels']), scores])
    return failed


def main() -> None:
    args = parse_args()
    harden()

    from mmmsf.apis import MultiLabelInferencer
    from mmmsf.apis.inputs import expand_inputs
    from mmmsf.apis.results import ResultOptions
    from mmmsf.engine.fast_forward import FastOptions
    from mmmsf.models.heads.attention_maps import check_class_maps
    from mmmsf.utils.printable import printable

    out_dir = Path(args.out_dir)
    try:
        paths = expand_inputs(args.inputs)
        inferencer = MultiLabelInferencer(
            args.config,
            args.checkpoint,
            args.device,
            thresholds=args.thr,
            fast=FastOptions(**fast_options(args)),
            calibrated=args.calibration,
        )
        if args.attention:
            check_class_maps(inferencer.model)
        out_dir.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        raise SystemExit(f'predict.py: {error}') from error
    options = ResultOptions(
        topk=args.topk,
        return_boxes=args.attention,
        show_dir=out_dir / 'pictures',
        on_error='record',
    )
    failed = write_results(
        inferencer.stream(paths, options, args.batch_size, show_progress=True), out_dir
    )
    print(
        f'{len(paths) - len(failed)} of {len(paths)} images labelled: {out_dir}/predictions.csv, '
        'predictions.jsonl, pictures/'
    )
    for result in failed:
        print(f'not labelled: {printable(result["error"])}', file=sys.stderr)
    if failed:
        raise SystemExit(1)


if __name__ == '__main__':
    main()
