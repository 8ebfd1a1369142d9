"""Numbers of one run for the report page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmmsf.evaluation import EvaluationReport, Predictions
from mmmsf.evaluation.functional import (
    check_scores_targets,
    count_decisions,
    summarize_counts,
    threshold_decisions,
)
from mmmsf.evaluation.functional.calibration import (
    CalibrationCurve,
    brier_score,
    calibration_curve,
    calibration_error,
    classwise_calibration_error,
)
from mmmsf.evaluation.functional.cooccurrence import cooccurrence
from mmmsf.evaluation.functional.curves import (
    DecisionCurve,
    counts_at_thresholds,
    decision_curve,
    thin_curve,
)
from mmmsf.evaluation.functional.precision_recall import DecisionCounts
from mmmsf.evaluation.functional.threshold_search import class_thresholds
from mmmsf.evaluation.rows import EvaluationRows
from mmmsf.evaluation.summary import build_report
from mmmsf.utils.groups import describe_groups, same_groups

GRID = np.linspace(0, 1, 101)  # thresholds of the curves of CF1 and OF1


@dataclass(frozen=True, eq=False)
class RunNumbers:
    """Hold the numbers of one run: N images, K classes, T = 101 thresholds.

    Attributes:
        name: Name of the run.
        predictions: Scores and targets.
        report: Metrics at 0.5 and of the top 3, in percent.
        at_best: CP .. OF1 at the best threshold of each class, in percent.
        thresholds: (K,) ``class_thresholds`` of the best F1; 0.5 for a class without a positive.
        best_f1: (K,) F1 there, 0 to 1; NaN for a class without a positive.
        curves: K curves, thinned for drawing.
        overall: Curve of all decisions together, thinned.
        cf1: (T,) CF1 at one threshold for all classes, 0 to 1.
        of1: (T,) OF1, likewise.
        calibration: Curve over all valid (image, class) pairs, 15 bins.
        ece: Expected calibration error of ``calibration``, 0 to 1.
        classwise_ece: Mean of the calibration errors of the classes, 0 to 1.
        brier: Brier score, 0 to 1.
        truth_pairs: (K, K) ``cooccurrence`` of the truth.
        predicted_pairs: (K, K) ``cooccurrence`` of ``decisions``.
        decisions: (N, K) at ``thresholds``; they keep the rules of exclusive groups.
    """

    name: str
    predictions: Predictions
    report: EvaluationReport
    at_best: dict[str, float]
    thresholds: NDArray[np.floating]
    best_f1: NDArray[np.float64]
    curves: list[DecisionCurve]
    overall: DecisionCurve
    cf1: NDArray[np.float64]
    of1: NDArray[np.float64]
    calibration: CalibrationCurve
    ece: float
    classwise_ece: float
    brier: float
    truth_pairs: NDArray[np.float64]
    predicted_pairs: NDArray[np.float64]
    decisions: NDArray[np.bool_]


def check_predictions(predictions: Predictions) -> None:
    """Check that the shapes of the arrays agree.

    Raises:
        ValueError: There is no image or class, the shapes differ, or an error of
            ``average_precision``.
    """
    check_scores_targets(predictions.scores, predictions.targets, predictions.names.tolist())
    num_images, num_classes = predictions.scores.shape
    if not num_images or not num_classes:
        raise ValueError(
            f'scores must have an image and a class, got shape {predictions.scores.shape}'
        )
    if predictions.classes.shape != (num_classes,):
        raise ValueError(
            f'classes must name the {num_classes} columns of scores, got '
            f'{predictions.classes.size} names'
        )
    if predictions.sizes.shape != predictions.scores.shape:
        raise ValueError(
            f'sizes must have the shape of scores, got {predictions.sizes.shape} for '
            f'scores {predictions.scores.shape}'
        )


def number_run(name: str, predictions: Predictions) -> RunNumbers:
    """Compute the numbers of one run.

    Raises:
        ValueError: An error of :func:`check_predictions`, or a score outside 0 to 1.
    """
    check_predictions(predictions)
    scores, targets = predictions.scores, predictions.targets
    rows = EvaluationRows(scores, targets, predictions.sizes, np.arange(len(scores)))
    curves = [decision_curve(scores[:, k], targets[:, k]) for k in range(scores.shape[1])]
    groups = predictions.groups
    thresholds = class_thresholds(scores, targets, groups=groups).values
    decisions = threshold_decisions(scores, thresholds, groups)
    swept = [
        summarize_counts(DecisionCounts(*counts))
        for counts in zip(*counts_at_thresholds(scores, targets, GRID), strict=True)
    ]
    calibration = calibration_curve(scores, targets)
    # A class whose targets are all ignored has no calibration error
    of_classes = classwise_calibration_error(scores, targets)
    of_classes = of_classes[~np.isnan(of_classes)]
    return RunNumbers(
        name=name,
        predictions=predictions,
        report=build_report(
            rows,
            predictions.classes.tolist(),
            size_aware=bool(predictions.sizes.any()),
            groups=groups,
        ),
        at_best={
            key: 100 * value
            for key, value in summarize_counts(count_decisions(decisions, targets)).items()
        },
        thresholds=thresholds,
        best_f1=np.array([curve.f1.max() if curve.f1.size else np.nan for curve in curves]),
        curves=[thin_curve(curve, 50) for curve in curves],
        overall=thin_curve(decision_curve(scores.ravel(), targets.ravel()), 200),
        cf1=np.array([summary['CF1'] for summary in swept]),
        of1=np.array([summary['OF1'] for summary in swept]),
        calibration=calibration,
        ece=calibration_error(calibration),
        classwise_ece=float(of_classes.mean()) if of_classes.size else float('nan'),
        brier=brier_score(scores, targets),
        truth_pairs=cooccurrence(targets == 1, targets),
        decisions=decisions,
        predicted_pairs=cooccurrence(decisions, targets),
    )


def check_comparable(runs: Sequence[tuple[str, Predictions]]) -> None:
    """Check that runs were measured on the same images, classes and targets.

    Args:
        runs: Names and predictions; all are compared with the first.

    Raises:
        ValueError: Two runs differ; names them, the array and its first difference.
    """
    first_name, first = runs[0]
    for name, run in runs[1:]:
        if not same_groups(first.groups, run.groups):
            raise ValueError(
                f'{first_name} and {name} cannot be compared: their groups differ: '
                f'{describe_groups(first.groups)} and {describe_groups(run.groups)}'
            )
        for field, what in (('classes', 'class'), ('names', 'image'), ('targets', 'target row')):
            one, two = getattr(first, field), getattr(run, field)
            start = f'{first_name} and {name} cannot be compared: their {field} differ'
            if one.shape != two.shape:
                raise ValueError(f'{start}: shapes {one.shape} and {two.shape}')
            if (one != two).any():
                at = int((one != two).reshape(len(one), -1).any(axis=1).argmax())
                raise ValueError(
                    f'{start}, first at {what} {at}: {one[at]} and {two[at]}; test '
                    'both runs on the same data and class list'
                )


def name_runs(paths: Sequence[str | Path], names: Sequence[str] | None = None) -> list[str]:
    """Name each file: as given, else by its stem, with its folder where two stems are equal.

    Raises:
        ValueError: The number of names is not that of the files, or a name occurs twice.
    """
    if names is None:
        stems = [Path(path).stem for path in paths]
        names = [
            stem if stems.count(stem) == 1 else f'{Path(path).resolve().parent.name}/{stem}'
            for path, stem in zip(paths, stems, strict=True)
        ]
    if len(names) != len(paths):
        raise ValueError(
            f'`names` must hold one name for each of the {len(paths)} files, got {len(names)}'
        )
    if len(set(names)) < len(names):
        raise ValueError(f'`names` must differ, got {", ".join(names)}; give other ones (--names)')
    return list(names)
