"""Tuning of thresholds: ``tune_thresholds.py PREDICTIONS.npz --checkpoint CKPT --out OUT``.

PREDICTIONS.npz is the output of ``tools/test.py CONFIG CKPT --out PREDICTIONS.npz``. The printed
metrics are of thresholds tuned on one part of the images and measured on the rest; the stored
thresholds are tuned on all images. They replace those that the training has stored.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from mmmsf.evaluation import Predictions
    from mmmsf.utils.groups import Group

    Part = tuple[np.ndarray, np.ndarray]  # scores and targets, both (N, K)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Tune decision thresholds and report them on data they were not tuned on.'
    )
    parser.add_argument('predictions', help='output of tools/test.py --out FILE.npz')
    parser.add_argument(
        '--objective',
        choices=['f1', 'precision', 'recall'],
        default='f1',
        help='of each class: highest F1, or highest recall at a precision of '
        '--target, or highest precision at a recall of --target',
    )
    parser.add_argument('--target', type=float, help='precision or recall to reach, 0 to 1')
    parser.add_argument(
        '--overall',
        nargs='?',
        const='CF1',
        choices=['CF1', 'OF1'],
        help='one threshold for all classes, for the highest CF1 or OF1',
    )
    parser.add_argument('--checkpoint', help='checkpoint that the predictions are of')
    parser.add_argument(
        '--out',
        metavar='CKPT_OUT',
        help='copy of the checkpoint to write, with the thresholds in it',
    )
    parser.add_argument(
        '--min-positives',
        type=int,
        default=5,
        metavar='N',
        help='a class with fewer positives keeps 0.5, since a few images do not determine a '
        'threshold (default: %(default)s)',
    )
    parser.add_argument(
        '--holdout',
        type=float,
        default=0.5,
        help='part of the images to report on (default: %(default)s)',
    )
    parser.add_argument('--seed', type=int, default=0, help='of the division')
    parser.add_argument(
        '--test',
        metavar='OTHER.npz',
        help='report on these predictions instead and tune on all of the first',
    )
    args = parser.parse_args()
    if (args.target is None) != (args.objective == 'f1'):
        parser.error('--target goes with --objective precision or recall, and they need it')
    if args.overall is not None and args.objective != 'f1':
        parser.error('--overall goes with --objective f1 only')
    if (args.checkpoint is None) != (args.out is None):
        parser.error('--checkpoint and --out go together')
    if not 0 < args.holdout < 1:
        parser.error(f'--holdout must be between 0 and 1, got {args.holdout}')
    return args


def split(args: argparse.Namespace, data: 'Predictions') -> tuple['Part', 'Part', str]:
    """Divide scores and targets into a part to tune on and a part to report on, with its name."""
    import numpy as np

    from mmmsf.evaluation import Predictions

    if args.test is not None:
        other = Predictions.load(args.test).require_raw_scores(args.test)
        if other.classes.tolist() != data.classes.tolist() or other.groups != data.groups:
            raise ValueError(f'the classes or groups of {args.predictions} and {args.test} differ')
        return (
            (data.scores, data.targets),
            (other.scores, other.targets),
            f'{len(other.scores)} images of {args.test}',
        )
    order = np.random.default_rng(args.seed).permutation(len(data.scores))
    cut = round(len(order) * args.holdout)
    if not 0 < cut < len(order):
        raise ValueError(f'--holdout {args.holdout} leaves one part of {len(order)} images empty')
    held, rest = order[:cut], order[cut:]
    return (
        (data.scores[rest], data.targets[rest]),
        (data.scores[held], data.targets[held]),
        f'the {cut} images held out (seed {args.seed})',
    )


def tune(
    args: argparse.Namespace, part: 'Part', groups: 'Sequence[Group]'
) -> tuple['np.ndarray', 'np.ndarray']:
    """Compute thresholds (K,), and for each class True if it reaches the objective."""
    import numpy as np

    from mmmsf.evaluation.functional.threshold_search import overall_threshold
    from mmmsf.evaluation.tuning import tune_frequent_classes

    scores, targets = part
    if args.overall is None:
        return tune_frequent_classes(
            scores, targets, args.min_positives, args.objective, args.target, groups=groups
        )
    if groups:
        raise ValueError('--overall is not for classes in exclusive groups: tune each class')
    value = overall_threshold(scores, targets, args.overall)
    return np.full(scores.shape[1], value, scores.dtype), (targets == 1).any(axis=0)


def note_of(reached: bool, positives: int, least: int) -> str:
    """Name the reason for a class without a tuned threshold, '' for any other."""
    if positives < max(least, 1):
        return 'no positive' if positives == 0 else f'fewer than {least} positives, not tuned'
    return '' if reached else 'target not reached'


def main() -> None:
    args = parse_args()
    harden()

    from mmmsf.checkpoint.thresholds import store_thresholds
    from mmmsf.evaluation import Predictions
    from mmmsf.evaluation.tables import format_table
    from mmmsf.evaluation.tuning import threshold_table
    from mmmsf.utils.groups import ungated_classes

    try:
        data = Predictions.load(args.predictions).require_raw_scores(args.predictions)
        fit, seen, where = split(args, data)
        groups = data.groups
        tuned = tune(args, fit, groups)[0]
        table = threshold_table(*seen, {'0.5': 0.5, 'tuned': tuned}, groups)
        values, reached = tune(args, (data.scores, data.targets), groups)
        if args.out is not None:
            store_thresholds(args.checkpoint, args.out, values.tolist(), data.classes.tolist())
    except (OSError, ValueError) as error:
        raise SystemExit(f'nothing written: {error}') from error
    print(f'tuned on {len(fit[0])} images, measured on {where} (%)\n{table}')
    print(f'\ntuned on all {len(data.scores)} images of {args.predictions}')
    positives = (data.targets == 1).sum(axis=0)
    ungated = set(ungated_classes(groups))
    least = 1 if args.overall is not None else args.min_positives
    print(
        format_table(
            ['class', 'positives', 'threshold', 'note'],
            [
                [name, str(count), '-', 'highest of its group']
                if k in ungated
                else [name, str(count), f'{value:.4f}', note_of(ok, count, least)]
                for k, (name, value, ok, count) in enumerate(
                    zip(data.classes, values, reached, positives, strict=True)
                )
            ],
        )
    )
    if args.out is not None:
        print(f'\nwritten to {args.out}')


if __name__ == '__main__':
    main()
