"""Time and memory against batch, image size and number of classes: ``growth.py``."""

import argparse
import os
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden

if TYPE_CHECKING:
    from _measure import Benchmark
    from _table import Record

CONFIG = 'configs/msf/msf_resnet101_6xb21-80e_coco14-448px.py'
WORK = ('inference', 'train')
AXES = {'batch': 'batch', 'px': 'side of the image in px', 'classes': 'classes'}
PLAIN = 'a query for each class'
Sweep = dict[tuple[str, str, int], 'Record']  # (work, name, value of the axis) -> what it cost


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Measure a model with random weights and images while one of batch, image size '
        'and number of classes grows and the other two stay at --base. Every pass visits all '
        "points, every second one backwards. Memory is the peak of torch's allocator: weights, "
        'activations and, for train, gradients and optimizer state. Writes growth.md, growth.csv '
        'and growth.png.'
    )
    parser.add_argument('config', nargs='?', default=CONFIG, help='default: %(default)s')
    parser.add_argument(
        '--base',
        type=int,
        nargs=3,
        default=[1, 448, 80],
        metavar=('BATCH', 'PX', 'K'),
        help='default: 1 448 80',
    )
    parser.add_argument('--batch', type=int, nargs='*', default=[1, 2, 4, 8])
    parser.add_argument('--px', type=int, nargs='*', default=[224, 448, 672, 896])
    parser.add_argument('--classes', type=int, nargs='*', default=[20, 80, 600, 9600])
    parser.add_argument(
        '--groups',
        type=int,
        nargs='*',
        default=[100],
        metavar="K'",
        help='numbers of group queries to try where there are more classes than '
        'that (default: 100)',
    )
    parser.add_argument('--what', nargs='+', choices=WORK, default=list(WORK))
    parser.add_argument('--passes', type=int, default=3, help='default: %(default)s')
    parser.add_argument('--threads', type=int, help='CPU threads (default: all cores)')
    parser.add_argument('--device', default='cpu', help='default: %(default)s')
    parser.add_argument(
        '--out', default='work_dirs/growth', metavar='FOLDER', help='default: %(default)s'
    )
    args = parser.parse_args()
    numbers = [*args.base, *args.batch, *args.px, *args.classes, *args.groups, args.passes]
    if min(numbers) < 1 or (args.threads or 1) < 1:
        parser.error('batches, sizes, classes, groups, passes and threads must be at least 1')
    return args


def make_benchmark(args: argparse.Namespace, num_classes: int) -> 'Benchmark':
    """Build the config's model, plain and with each number of group queries."""
    from _measure import Benchmark, Options
    from _rows import read_rows

    groups = [None, *(number for number in args.groups if number < num_classes)]
    rows = [
        replace(row, name=PLAIN if number is None else f'{number} group queries')
        for number in groups
        for row in read_rows(
            [args.config], {} if number is None else {'model.head.num_groups': number}, num_classes
        )
    ]
    return Benchmark(rows, Options(args.device, 1, 1, 0.0, args.threads))


def sweep(args: argparse.Namespace, axis: str) -> Sweep:
    """Measure all values of one setting."""
    benchmark_of = lru_cache(maxsize=1)(lambda num_classes: make_benchmark(args, num_classes))
    base = dict(zip(AXES, args.base, strict=True))
    values = getattr(args, axis)
    found: Sweep = {}
    for number in range(args.passes):
        for value in values[:: -1 if number % 2 else 1]:
            setting = {**base, axis: value}
            for what in args.what:
                for one in benchmark_of(setting['classes']).run(
                    what, setting['batch'], setting['px'], memory=number == 0
                ):
                    key = what, one.name, value
                    old = found.get(key)
                    found[key] = (
                        one if old is None else replace(old, seconds=[*old.seconds, *one.seconds])
                    )
                    print(
                        f'{what}, {axis} {value}, {one.name}: {one.seconds[0]:.3f} s',
                        file=sys.stderr,
                        flush=True,
                    )
    return {
        key: found[key]
        for key in sorted(found, key=lambda key: (WORK.index(key[0]), key[1] != PLAIN, key[2]))
    }


def growth_table(axis: str, found: Sweep) -> str:
    """Format one line a point; every ``x`` is a ratio to the plain model at the first value."""
    from _table import time_ratio
    from _timing import Spread

    lines = [
        f'| what | queries | {axis} | GFLOP | x | s [quartiles] | x [quartiles] | MiB | x |',
        '|---' * 9 + '|',
    ]
    for (what, name, value), one in found.items():
        first = next(record for key, record in found.items() if key[0] == what)
        lines.append(
            f'| {what} | {name} | {value:,} | {one.flops / 1e9:,.1f} | '
            f'{one.flops / first.flops:.2f} | {Spread.of(one.seconds)} | {time_ratio(one, first)} '
            f'| {(one.memory or 0) / 2**20:,.0f} | '
            f'{(one.memory or 0) / (first.memory or 1):.2f} |'
        )
    return '\n'.join(lines) + '\n'


def plot(sweeps: dict[str, Sweep], path: Path) -> None:
    """Draw a column for each axis: time above, memory below, all logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(sweeps), 6), layout='constrained')
    grid = figure.subplots(2, len(sweeps), squeeze=False)
    for column, (axis, found) in zip(grid.T, sweeps.items(), strict=True):
        for what, name in dict.fromkeys(key[:2] for key in found):
            points = {key[2]: one for key, one in found.items() if key[:2] == (what, name)}
            style = dict(
                marker='o',
                markersize=3,
                label=f'{what}, {name}',
                color=f'C{WORK.index(what)}',
                linestyle='-' if name == PLAIN else '--',
            )
            for axes, unit, values in (
                (column[0], 's', [median(one.seconds) for one in points.values()]),
                (column[1], 'GiB', [(one.memory or 0) / 2**30 for one in points.values()]),
            ):
                axes.plot(list(points), values, **style)
                axes.set(xscale='log', yscale='log', xlabel=AXES[axis], ylabel=unit)
        ticks = sorted({key[2] for key in found})
        for axes in column:
            axes.set_xticks(ticks, labels=[f'{tick:,}' for tick in ticks])
            axes.tick_params(axis='x', which='minor', bottom=False, labelbottom=False)
            axes.grid(alpha=0.3)
    grid[0, -1].legend(fontsize='x-small')
    figure.savefig(path, dpi=64)


def main() -> None:
    args = parse_args()
    harden()
    os.environ.setdefault('KINETO_LOG_LEVEL', '99')  # silences the profiler

    import torch
    from _machine import describe_run, load_average
    from _table import write_csv

    import mmmsf  # noqa: F401  checks the frameworks and registers the components

    torch.set_num_threads(args.threads or os.cpu_count() or 1)
    about = describe_run(['python', *sys.argv], args.device)
    print(about, flush=True)
    try:
        sweeps = {axis: sweep(args, axis) for axis in AXES if getattr(args, axis)}
    except (OSError, ValueError) as error:
        raise SystemExit(f'growth.py: {error}') from error
    text = '\n\n'.join(
        [
            *about.split('\n'),
            f'load average after: {load_average()}',
            *(growth_table(axis, found) for axis, found in sweeps.items()),
        ]
    )
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'growth.md').write_text(text, encoding='utf-8')
    write_csv([one for found in sweeps.values() for one in found.values()], folder / 'growth.csv')
    plot(sweeps, folder / 'growth.png')
    print(f'\n{text}\n{folder}')


if __name__ == '__main__':
    main()
