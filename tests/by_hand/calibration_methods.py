"""Ways to calibrate, on halves of predictions: ``calibration_methods.py RUN.npz... [--times 5]``.

The files are of one data set and method, such as the trainings of three seeds. Each division gives
two halves, each measured with what was fitted on the other; printed is the mean over divisions and
files. Isotonic regression is scikit-learn's, for classes of at least 50 positives in the half, and
the class's line for the others. A file with ``gt`` in place of ``targets`` is read as well.

``--speed IMAGES CLASSES`` measures the fit on random scores instead.
"""

import argparse
import resource
import time

import numpy as np
from sklearn.isotonic import IsotonicRegression

from mmmsf.evaluation.functional import threshold_metrics
from mmmsf.evaluation.functional.calibration import (
    brier_score,
    calibration_curve,
    calibration_error,
    classwise_calibration_error,
)
from mmmsf.evaluation.platt import fit_calibration
from mmmsf.evaluation.tables import format_table
from mmmsf.models.heads.calibration import Calibration, calibrate_scores

Arrays = tuple[np.ndarray, np.ndarray]
METHODS = ('as trained', 'shared line', 'line of each class', 'isotonic')
HEADER = ['scores', 'ECE', 'sd', "classes' ECE", 'Brier', 'log loss', 'CF1', 'OF1', 'mean', 'right']


def load(path: str) -> Arrays:
    with np.load(path) as archive:
        targets = archive['gt' if 'gt' in archive else 'targets']
        return archive['scores'], targets.astype(np.int8)


def calibrate(method: str, fit: Arrays, scores: np.ndarray) -> np.ndarray:
    """Calibrate ``scores`` by what was fitted on another half."""
    if method == 'as trained':
        return scores.astype(np.float64)
    fitted = fit_calibration(*fit)
    lines = fitted.calibration
    if method == 'shared line':
        lines = Calibration(*(np.full(len(lines.slopes), value) for value in fitted.shared))
    found = calibrate_scores(scores, lines)
    if method == 'isotonic':
        for k in range(scores.shape[1]):
            known = fit[1][:, k] >= 0
            if (fit[1][:, k] == 1).sum() >= 50:
                model = IsotonicRegression(out_of_bounds='clip')
                model.fit(fit[0][known, k], fit[1][known, k])
                found[:, k] = model.predict(scores[:, k])
    return found


def measure(scores: np.ndarray, targets: np.ndarray) -> list[float]:
    """In percent: the columns of ``HEADER`` without ``sd``."""
    known, rates = targets >= 0, threshold_metrics(scores, targets, 0.5)
    inside = np.clip(scores[known], 1e-7, 1 - 1e-7)
    loss = -np.log(np.where(targets[known] == 1, inside, 1 - inside)).mean()
    shown = known & (scores >= 0.7) & (scores < 0.9)
    return [
        100 * value
        for value in (
            calibration_error(calibration_curve(scores, targets)),
            np.nanmean(classwise_calibration_error(scores, targets)),
            brier_score(scores, targets),
            loss,
            rates['CF1'],
            rates['OF1'],
            scores[shown].mean(),
            (targets[shown] == 1).mean(),
        )
    ]


def compare(paths: list[str], times: int) -> None:
    rows = []
    for method in METHODS:
        found = []
        for scores, targets in map(load, paths):
            for seed in range(times):
                fold = np.random.default_rng(seed).permutation(len(scores)) % 2
                calibrated = np.empty(scores.shape)
                for i in range(2):
                    fit = scores[fold != i], targets[fold != i]
                    calibrated[fold == i] = calibrate(method, fit, scores[fold == i])
                found.append(measure(calibrated, targets))
        values = np.mean(found, axis=0).tolist()
        values.insert(1, float(np.std(found, axis=0)[0]))
        rows.append([method, *(f'{value:.2f}' for value in values)])
    print(f'{len(paths)} files, {times} divisions, %; mean and right: of scores of 0.7 to 0.9')
    print(format_table(HEADER, rows))


def speed(num_images: int, num_classes: int) -> None:
    rng = np.random.default_rng(0)
    frequency = 10 ** rng.uniform(-4, -1, num_classes)
    targets = np.empty((num_images, num_classes), np.int8)
    scores = np.empty((num_images, num_classes), np.float32)
    for i in range(num_images):
        targets[i] = rng.random(num_classes) < frequency
        logits = 1.2 * rng.standard_normal(num_classes) + 2.5 * targets[i] - 2
        scores[i] = 1 / (1 + np.exp(-logits))
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    fit_calibration(scores, targets)
    used = time.process_time() - start
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f'{num_images} x {num_classes}: {used:.1f} s of one core, {more / 1024:.0f} MB more')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('predictions', nargs='*')
    parser.add_argument('--times', type=int, default=5)
    parser.add_argument('--speed', type=int, nargs=2, metavar=('IMAGES', 'CLASSES'))
    args = parser.parse_args()
    if args.speed is not None:
        speed(*args.speed)
    else:
        compare(args.predictions, args.times)


if __name__ == '__main__':
    main()
