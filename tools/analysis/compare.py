"""Is B better than A? Paired bootstrap over images: ``compare.py A B [C ...]``.

A, B, C are files of ``tools/test.py CONFIG CHECKPOINT --out FILE.npz`` or of a training's
``val/predictions.npz``, all on the same images; or folders, such as one row of ``ablate.py``: then
all ``predictions.npz`` in it are runs of one model, and its metric is their mean. Each after the
first is compared with the first. An interval tells how far a difference depends on the choice of
test images; how far it depends on the seed of the training, only more runs tell.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden

if TYPE_CHECKING:
    import numpy as np

    from mmmsf.evaluation import Predictions

HEADER = (
    'run',
    'metric',
    'value of first',
    'value of run',
    'difference',
    'low',
    'high',
    'share first < run',
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('predictions', nargs='+', help='files, or folders of the runs of one model')
    parser.add_argument('--names', nargs='+', help='names for the table (default: the files)')
    parser.add_argument('--resamples', type=int, default=1000, help='default: %(default)s')
    parser.add_argument('--seed', type=int, default=0, help='of the resamples')
    parser.add_argument(
        '--level',
        type=float,
        default=0.95,
        help='part of the resamples in the interval (default: %(default)s)',
    )
    parser.add_argument(
        '--thr', type=float, default=0.5, help='threshold of CF1 and OF1 (default: %(default)s)'
    )
    parser.add_argument(
        '--min-positives',
        type=int,
        default=1,
        metavar='P',
        help='leave out the classes with fewer positive images than P',
    )
    parser.add_argument('--csv', metavar='FILE', help='also write the table to this file')
    args = parser.parse_args()
    args.names = args.names or args.predictions
    if len(args.predictions) < 2:
        parser.error('name at least two files')
    if len(args.names) != len(args.predictions):
        parser.error(f'--names needs {len(args.predictions)} names, got {len(args.names)}')
    if args.resamples < 1 or args.min_positives < 1:
        parser.error('--resamples and --min-positives must be at least 1')
    if not 0 < args.level < 1:
        parser.error(f'--level must be between 0 and 1, got {args.level}')
    return args


def check_same_data(first: 'Predictions', other: 'Predictions', path: str) -> None:
    """Refuse predictions on other data.

    Raises:
        ValueError: images, their order, classes, targets or sizes differ; says where.
    """
    import numpy as np

    for field, what in (('names', 'images'), ('classes', 'classes')):
        one, two = getattr(first, field), getattr(other, field)
        if len(one) != len(two):
            raise ValueError(f'{path} has {len(two)} {what}, the first file {len(one)}')
        differ = np.flatnonzero(one != two)
        if differ.size:
            i = differ[0]
            raise ValueError(
                f'{path} has other {what} than the first file, at position {i} '
                f'{two[i]} in place of {one[i]}; test both on the same data'
            )
    for field in ('targets', 'sizes'):
        one, two = getattr(first, field), getattr(other, field)
        if not np.array_equal(one, two):
            n, k = np.argwhere(one != two)[0]
            raise ValueError(
                f'{path} has other {field} than the first file: {first.names[n]}, '
                f'{first.classes[k]}: {two[n, k]} in place of {one[n, k]}'
            )


def choose_classes(data: 'Predictions', least: int) -> 'np.ndarray':
    """Indices of the classes with at least ``least`` positives; prints the others.

    Raises:
        ValueError: no class has so many.
    """
    import numpy as np

    positives = (data.targets == 1).sum(axis=0)
    kept = np.flatnonzero(positives >= least)
    if not kept.size:
        raise ValueError(f'no class has {least} positives')
    dropped = [f'{data.classes[k]} ({positives[k]})' for k in np.flatnonzero(positives < least)]
    print(
        f'{len(data.names)} images, {len(kept)} of {len(positives)} classes with at least '
        f'{least} positive image{"s" if least > 1 else ""}'
        + (f'; left out: {", ".join(dropped)}' if dropped else '')
    )
    return kept


def find_files(path: str) -> list[str]:
    """The file itself, or every ``predictions.npz`` in a folder.

    Raises:
        FileNotFoundError: the folder has none.
    """
    if not Path(path).is_dir():
        return [path]
    found = sorted(str(file) for file in Path(path).rglob('predictions.npz'))
    if not found:
        raise FileNotFoundError(f'{path} has no predictions.npz in it')
    return found


def mean_of_runs(runs: Sequence[dict[str, 'np.ndarray']]) -> dict[str, 'np.ndarray']:
    """Each metric's mean over the runs of one model, resample by resample."""
    import numpy as np

    return {metric: np.mean([run[metric] for run in runs], axis=0) for metric in runs[0]}


def tabulate(
    names: Sequence[str], runs: Sequence[dict[str, 'np.ndarray']], level: float
) -> list[list[str]]:
    """One row for each metric of each run after the first, in percent."""
    from _bootstrap import paired_difference

    rows = []
    for name, run in zip(names[1:], runs[1:], strict=True):
        for metric, values in run.items():
            first = runs[0][metric]
            found = paired_difference(first, values, level)
            rows.append(
                [
                    name,
                    metric,
                    f'{100 * first[0]:.2f}',
                    f'{100 * values[0]:.2f}',
                    *(f'{100 * x:+.2f}' for x in (found.value, found.low, found.high)),
                    f'{found.share_below:.3f}',
                ]
            )
    return rows


def main() -> None:
    args = parse_args()
    harden()

    import csv

    from _bootstrap import bootstrap_metrics

    from mmmsf.evaluation import Predictions

    try:
        paths = [find_files(path) for path in args.predictions]
        models = [[Predictions.load(path) for path in files] for files in paths]
        data = models[0][0]
        for path, run in zip(chain(*paths), chain(*models), strict=True):
            check_same_data(data, run, path)
        kept = choose_classes(data, args.min_positives)
        found = iter(
            bootstrap_metrics(
                [run.scores[:, kept] for run in chain(*models)],
                data.targets[:, kept],
                data.sizes[:, kept],
                args.thr,
                args.resamples,
                args.seed,
            )
        )
        runs = [mean_of_runs([next(found) for _ in model]) for model in models]
    except (ValueError, OSError) as error:
        raise SystemExit(f'compare.py: {error}') from error
    rows = tabulate(args.names, runs, args.level)
    counts = ', '.join(str(len(files)) for files in paths)
    print(
        f'first: {args.names[0]}; runs: {counts}; {args.resamples} resamples of the '
        f'images, seed {args.seed}; '
        f'low, high: {100 * args.level:g} % percentile interval; CF1, OF1 at {args.thr:g}\n'
    )
    for cells in (HEADER, ['---'] * len(HEADER), *rows):
        print('| ' + ' | '.join(cells) + ' |')
    if args.csv:
        with open(args.csv, 'w', encoding='utf-8', newline='') as file:
            csv.writer(file).writerows([HEADER, *rows])


if __name__ == '__main__':
    main()
