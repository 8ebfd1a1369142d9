"""Paired bootstrap comparison of models: ``compare.py A B [C ...]``.

A, B and C are prediction files on the same images (``tools/test.py --out FILE.npz``, or a
training's ``val/predictions.npz``) or folders, such as one row of ``ablate.py``: all
``predictions.npz`` in a folder are runs of one model, whose metric is their mean. Every other model
is compared with the first. The interval covers the choice of the test images, not the seeds of the
training, nor the tuning of thresholds.
"""

import argparse
import sys
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden


def threshold(text: str) -> float | None:
    """Read ``--thr``; None stands for tuned ones."""
    return None if text == 'tuned' else float(text)


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
        help='share of the resamples inside the interval (default: %(default)s)',
    )
    parser.add_argument(
        '--thr',
        type=threshold,
        default=0.5,
        help='threshold of CF1 and OF1; "tuned": those of each class that are best on one half of '
        'the images decide the other half, for each run on its own, means of many divisions '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--min-positives',
        type=int,
        default=1,
        metavar='P',
        help='leave out classes with fewer than P positive images',
    )
    parser.add_argument(
        '--frequency',
        metavar='CONFIG',
        help="also compare the classes that are frequent, middling and rare in this config's "
        'training set (head, middle, tail)',
    )
    parser.add_argument(
        '--frequency-bounds',
        type=int,
        nargs=2,
        default=[20, 100],
        metavar=('TAIL', 'MIDDLE'),
        help='most training images of a tail and of a middle class (default: 20 100)',
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
    if not 0 <= args.frequency_bounds[0] < args.frequency_bounds[1]:
        parser.error(f'--frequency-bounds must ascend from 0, got {args.frequency_bounds}')
    if args.csv and not Path(args.csv).parent.is_dir():
        parser.error(f'--csv {args.csv}: there is no such folder')
    if not 0 < args.level < 1:
        parser.error(f'--level must be between 0 and 1, got {args.level}')
    return args


def find_files(path: str) -> list[str]:
    """Return the file itself, or every ``predictions.npz`` in a folder.

    Of the runs of ``ablate.py`` those that have not ended are left out, with a line that says so.

    Raises:
        FileNotFoundError: The folder has none.
    """
    if not Path(path).is_dir():
        return [path]
    found = sorted(Path(path).rglob('predictions.npz'))
    ended = [file for file in found if (file.parents[1] / 'result.json').is_file()]
    if ended and len(ended) < len(found):
        others = [str(file.parents[1]) for file in found if file not in ended]
        print(f'left out, without a result.json: {", ".join(others)}')
        found = ended
    if not found:
        raise FileNotFoundError(f'{path} contains no predictions.npz')
    return [str(file) for file in found]


def main() -> None:
    args = parse_args()
    harden()

    import numpy as np
    from _bootstrap import bootstrap_metrics
    from _comparison import (
        check_same_data,
        choose_classes,
        frequency_parts,
        mean_of_runs,
        tabulate,
        write_table,
    )

    from mmmsf.evaluation import Predictions
    from mmmsf.evaluation.functional import threshold_decisions
    from mmmsf.evaluation.tuning import DIVISIONS, held_out_decisions

    def decide(run: Predictions) -> np.ndarray:
        if args.thr is None:
            return held_out_decisions(run.scores, run.targets, groups=run.groups)
        return threshold_decisions(run.scores, args.thr, run.groups)

    try:
        paths = [find_files(path) for path in args.predictions]
        models = [[Predictions.load(path) for path in files] for files in paths]
        data = models[0][0]
        for path, run in zip(chain(*paths), chain(*models), strict=True):
            check_same_data(data, run, path)
        kept = choose_classes(data, args.min_positives)
        parts = {}
        if args.frequency:
            whole = frequency_parts(data, args.frequency, args.frequency_bounds)
            parts = {name: np.flatnonzero(np.isin(kept, own)) for name, own in whole.items()}
        found = iter(
            bootstrap_metrics(
                [run.scores[:, kept] for run in chain(*models)],
                data.targets[:, kept],
                data.sizes[:, kept],
                num_resamples=args.resamples,
                seed=args.seed,
                parts=parts,
                decisions=[decide(run)[:, kept] for run in chain(*models)],
            )
        )
        runs = [mean_of_runs([next(found) for _ in model]) for model in models]
    except (ValueError, OSError) as error:
        raise SystemExit(f'compare.py: {error}') from error
    counts = ', '.join(str(len(files)) for files in paths)
    tuned = f'thresholds tuned on the other half, {DIVISIONS} divisions'
    where = tuned if args.thr is None else f'{args.thr:g}'
    print(
        f'first: {args.names[0]}; runs: {counts}; {args.resamples} resamples of the images, seed '
        f'{args.seed}; low, high: {100 * args.level:g} % percentile interval; '
        f'CF1, OF1 at {where}\n'
    )
    write_table(tabulate(args.names, runs, args.level), args.csv)


if __name__ == '__main__':
    main()
