"""Time and memory of configs, measured in turns: ``models.py CONFIG[:MODE,...]...``."""

import argparse
import itertools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden
from mmengine.config import DictAction

if TYPE_CHECKING:
    from _table import Record

WORK = ('inference', 'train')
MODES = (
    'eager, or some of compiled, frozen, bf16, amp, channels_last, folded joined by +, or '
    'onnxruntime or onnxruntime-int8'
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Measure inference, the training step (forward, loss, backward, optimizer) and '
        'peak memory of configs with random weights and images, all in one process and in turns. '
        'Prints a markdown table: medians with quartiles, images per second, ratios to the first '
        "row, and the share of the machine's matrix-multiply speed, measured in the same rounds."
    )
    parser.add_argument('rows', nargs='+', metavar='CONFIG[:MODE,...]', help=f'MODE: {MODES}')
    parser.add_argument(
        '--what',
        nargs='+',
        choices=[*WORK, 'memory'],
        default=['inference'],
        help='memory: of the other two, or of both if it stands alone (default: inference)',
    )
    parser.add_argument('--batch', type=int, nargs='+', default=[1], help='default: 1')
    parser.add_argument(
        '--size',
        type=int,
        nargs='+',
        default=[448],
        metavar='PX',
        help='side of the square images (default: 448)',
    )
    parser.add_argument(
        '--num-classes', type=int, nargs='+', metavar='K', help="default: the config's"
    )
    parser.add_argument('--rounds', type=int, default=5, help='default: %(default)s')
    parser.add_argument('--warmup', type=int, default=1, help='default: %(default)s')
    parser.add_argument(
        '--min-seconds',
        type=float,
        default=0.2,
        metavar='S',
        help='repeat a call in a round until it takes this (default: %(default)s)',
    )
    parser.add_argument('--threads', type=int, metavar='T', help='CPU threads (default: all cores)')
    parser.add_argument('--device', default='cpu', help='default: %(default)s')
    parser.add_argument(
        '--tf32',
        action='store_true',
        help='GPU: float32 products and convolutions in TF32 (default: neither, unlike torch)',
    )
    parser.add_argument(
        '--parts',
        action='store_true',
        help='a second table: backbone, neck and head by themselves, eager',
    )
    parser.add_argument(
        '--profile',
        type=int,
        default=0,
        metavar='N',
        help='a further table for each row: the N operators (on a GPU: kernels) of one call that '
        'take most time',
    )
    parser.add_argument('--out', nargs='+', default=[], metavar='FILE', help='.md or .csv')
    parser.add_argument(
        '--plot',
        metavar='FILE',
        help='picture of the growth, where one setting takes several values',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='overrides of config values',
    )
    args = parser.parse_args()
    for name in ('batch', 'size', 'num_classes', 'rounds', 'warmup', 'threads'):
        values = getattr(args, name)
        if values is not None and min(values if isinstance(values, list) else [values]) < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1, got {values}')
    for path in args.out:
        if Path(path).suffix not in ('.md', '.csv'):
            parser.error(f'--out must end in .md or .csv, got {path}')
    return args


def main() -> None:
    args = parse_args()
    harden()
    os.environ.setdefault('KINETO_LOG_LEVEL', '99')  # silences the profiler

    import torch
    from _machine import describe_run, load_average, use_tf32
    from _measure import Benchmark, Options
    from _part_table import measure_parts, part_table
    from _plot import growing, plot_growth
    from _rows import read_rows
    from _table import markdown_table, operator_table, write_csv
    from mmengine.logging import MMLogger

    import mmmsf  # noqa: F401  checks the frameworks and registers the components

    MMLogger.get_current_instance().setLevel('WARNING')  # it lists every parameter group
    torch.set_num_threads(args.threads or os.cpu_count() or 1)
    use_tf32(args.tf32)
    text = describe_run(['python', *sys.argv], args.device)
    print(text, file=sys.stderr, flush=True)
    options = Options(
        args.device, args.rounds, args.warmup, args.min_seconds, args.threads, args.profile
    )
    work = [name for name in WORK if name in args.what] or list(WORK)
    settings = list(itertools.product(args.num_classes or [None], args.size, args.batch))
    records: list[Record] = []
    parts: list[Any] = []
    try:
        for classes, size, batch in settings:
            rows = read_rows(args.rows, args.cfg_options, classes)
            benchmark = Benchmark(rows, options)
            for what in work:
                new = benchmark.run(
                    what, batch, size, args.what != ['memory'], 'memory' in args.what
                )
                print(f'\n{markdown_table(new)}', end='', file=sys.stderr, flush=True)
                records += new
            if args.parts:
                parts += measure_parts(rows, options, batch, size)
        if args.plot:
            growing(records)
    except (OSError, ValueError) as error:
        raise SystemExit(f'models.py: {error}') from error
    text = '\n\n'.join(
        [
            text.replace('\n', '\n\n') + f' before, {load_average()} after',
            markdown_table(records),
            *([part_table(parts)] if parts else []),
            *(operator_table(record) for record in records if record.operators),
        ]
    )
    print(f'\n{text}')
    for path in args.out:
        if path.endswith('.csv'):
            write_csv(records, path)
        else:
            Path(path).write_text(text, encoding='utf-8')
    if args.plot:
        plot_growth(records, args.plot)


if __name__ == '__main__':
    main()
