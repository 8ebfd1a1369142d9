"""Calibration of scores: ``calibrate.py PREDICTIONS.npz --checkpoint CKPT --out OUT``.

PREDICTIONS.npz is the output of ``tools/test.py CONFIG CKPT --out PREDICTIONS.npz``. The printed
errors are of scores calibrated by the other folds of the images, so that no score is measured on
the targets that it was fitted to; the stored calibration is fitted on all images. Whatever reads
the checkpoint then gives calibrated scores, and converts the thresholds in it: the labels stay.
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
    from mmmsf.evaluation.platt import FittedCalibration
    from mmmsf.utils.groups import Group

COLUMNS = ['class', 'positives', 'negatives', 'slope', 'offset']
MEASURES = ['ECE', 'ECE calibrated', 'Brier', 'Brier calibrated', 'note']
MAX_NOTES = 20  # classes that the printed list names


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Calibrate scores, so that a score of 0.8 is right 8 times of 10, and report '
        'the errors on images that the calibration was not fitted on.'
    )
    parser.add_argument('predictions', help='output of tools/test.py --out FILE.npz')
    parser.add_argument('--checkpoint', help='checkpoint that the predictions are of')
    parser.add_argument(
        '--out',
        metavar='CKPT_OUT',
        help='copy of the checkpoint to write, with the calibration in it',
    )
    parser.add_argument('--csv', metavar='FILE', help='table of the classes to write')
    parser.add_argument(
        '--folds',
        type=int,
        default=2,
        help='parts of the images; each is measured with the calibration fitted on the others '
        '(default: %(default)s)',
    )
    parser.add_argument('--seed', type=int, default=0, help='of the division')
    args = parser.parse_args()
    if (args.checkpoint is None) != (args.out is None):
        parser.error('--checkpoint and --out go together')
    if args.folds < 2:
        parser.error(f'--folds must be at least 2, got {args.folds}')
    return args


def calibrate_by_others(data: 'Predictions', folds: int, seed: int) -> 'np.ndarray':
    """Calibrate each fold of the images by the others; shape (N, K)."""
    import numpy as np

    from mmmsf.evaluation.platt import fit_free_classes
    from mmmsf.models.heads.calibration import calibrate_scores

    num_images = len(data.scores)
    if folds > num_images:
        raise ValueError(f'--folds must be at most the {num_images} images, got {folds}')
    fold = np.random.default_rng(seed).permutation(num_images) % folds
    calibrated = np.empty_like(data.scores)
    for i in range(folds):
        held = fold == i
        fitted = fit_free_classes(data.scores[~held], data.targets[~held], data.groups)
        calibrated[held] = calibrate_scores(data.scores[held], fitted.calibration)
    return calibrated


def summary_row(
    name: str, scores: 'np.ndarray', targets: 'np.ndarray', groups: 'Sequence[Group]'
) -> list[str]:
    """Measure scores (N, K), in percent."""
    import numpy as np

    from mmmsf.evaluation.functional import threshold_metrics
    from mmmsf.evaluation.functional.calibration import (
        brier_score,
        calibration_curve,
        calibration_error,
        classwise_calibration_error,
    )

    found = threshold_metrics(scores, targets, 0.5, groups=groups)
    values = [
        calibration_error(calibration_curve(scores, targets)),
        np.nanmean(classwise_calibration_error(scores, targets)),
        brier_score(scores, targets),
        found['CF1'],
        found['OF1'],
    ]
    return [name, *(f'{100 * value:.2f}' for value in values)]


def class_rows(
    data: 'Predictions', calibrated: 'np.ndarray', fitted: 'FittedCalibration'
) -> list[list[str]]:
    """Build a row of ``COLUMNS`` and ``MEASURES`` for each class; errors in percent."""
    from mmmsf.evaluation.functional.calibration import brier_score, classwise_calibration_error

    errors = [classwise_calibration_error(x, data.targets) for x in (data.scores, calibrated)]
    rows = []
    for k, name in enumerate(data.classes.tolist()):
        part, truth = slice(k, k + 1), data.targets[:, k : k + 1]
        measured = [error[k] for error in errors]
        measured += [brier_score(x[:, part], truth) for x in (data.scores, calibrated)]
        line = [f'{values[k]:.4f}' for values in fitted.calibration]
        counts = [str((truth == 1).sum()), str((truth == 0).sum())]
        numbers = [f'{100 * x:.2f}' for x in measured]
        rows.append([name, *counts, *line, *numbers, fitted.notes[k]])
    return rows


def write_csv(path: str, rows: list[list[str]]) -> None:
    """Write the table of the classes."""
    import csv

    with open(path, 'w', newline='', encoding='utf-8') as file:
        csv.writer(file).writerows([COLUMNS + MEASURES, *rows])


def main() -> None:
    args = parse_args()
    harden()

    from mmmsf.checkpoint.calibration import store_calibration
    from mmmsf.evaluation import Predictions
    from mmmsf.evaluation.platt import fit_free_classes
    from mmmsf.evaluation.tables import format_table

    try:
        data = Predictions.load(args.predictions).require_raw_scores(args.predictions)
        calibrated = calibrate_by_others(data, args.folds, args.seed)
        fitted = fit_free_classes(data.scores, data.targets, data.groups)
        if args.csv is not None:
            write_csv(args.csv, class_rows(data, calibrated, fitted))
        if args.out is not None:
            store_calibration(args.checkpoint, args.out, fitted.calibration, data.classes.tolist())
    except (OSError, ValueError) as error:
        raise SystemExit(f'nothing written: {error}') from error
    rows = [
        summary_row('as they are', data.scores, data.targets, data.groups),
        summary_row('calibrated', calibrated, data.targets, data.groups),
    ]
    header = ['scores', 'ECE', "classes' ECE", 'Brier', 'CF1 at 0.5', 'OF1 at 0.5']
    print(
        f'{len(data.scores)} images, each calibrated by the other of {args.folds} folds (seed '
        f'{args.seed}), %\n{format_table(header, rows)}\n\n'
        f'all classes together: slope {fitted.shared[0]:.3f}, offset {fitted.shared[1]:.3f}'
    )
    noted = [f'{x}: {note}' for x, note in zip(data.classes, fitted.notes, strict=True) if note]
    for line in noted[:MAX_NOTES]:
        print(line)
    if len(noted) > MAX_NOTES:
        print(f'and {len(noted) - MAX_NOTES} more (--csv)')
    for path in (args.csv, args.out):
        if path is not None:
            print(f'written to {path}')


if __name__ == '__main__':
    main()
