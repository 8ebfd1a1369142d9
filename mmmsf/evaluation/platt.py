"""Fit of a score calibration: Platt's lines, drawn towards the line of all classes together."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmsf.models.heads.calibration import Calibration, score_logits
from mmmsf.utils.groups import Group

from .functional.validation import FloatArray, TargetArray, check_scores_targets

SLOPE_SPREAD = 0.2  # of a class's slope about the shared one, as a part of it
OFFSET_SPREAD = 0.5  # of a class's offset about the shared one
LEAST_SLOPE = 0.1  # of a class whose scores do not rise with its labels, as a part of the shared
_SHARED_SPREAD = 10.0  # of the shared line about the identity; only keeps it finite
_SHARED_ENTRIES = 1_000_000  # about as many entries of scores determine the shared line
_CHUNK_ENTRIES = 100_000  # entries of scores in work at once, few enough for the cache
_BLOCK = 64  # classes whose scores are copied at once: whole lines of the memory's cache
_STEPS, _TOLERANCE = 100, 1e-5  # Newton's last step squares the error

Array = NDArray[np.float64]


class FittedCalibration(NamedTuple):
    """Hold a fitted calibration of K classes.

    Attributes:
        calibration: Slopes and offsets.
        shared: Slope and offset of all classes together.
        notes: A word on each class that could not be fitted, '' for the others.
    """

    calibration: Calibration
    shared: tuple[float, float]
    notes: list[str]


def fit_lines(
    logits: Array, targets: TargetArray, mean: tuple[float, float], spread: tuple[float, float]
) -> Calibration:
    """Fit a line of each class by Newton's method: logistic regression with a normal prior.

    Minimises, for each class, the log loss of ``slope * logit + offset`` summed over its known
    targets plus ``((slope - mean[0]) / spread[0])^2 / 2`` and the same of the offset.

    Args:
        logits: Shape (K, N), a row for each class.
        targets: Shape (K, N): 1 positive, 0 negative, -1 ignored.
        mean: Slope and offset that the prior expects.
        spread: Standard deviations about them.

    Raises:
        RuntimeError: The steps do not end.
    """
    x, known, truth = logits, (targets >= 0).astype(np.float64), (targets == 1).astype(np.float64)
    slope, offset = (np.full(len(x), value) for value in mean)
    weight = 1 / np.square(spread)
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(slope[:, None] * x + offset[:, None], -700, 700)))
        error, curve = known * chance - truth, known * chance * (1 - chance)
        pull = np.stack([np.einsum('kn,kn->k', error, x), error.sum(axis=1)], axis=1)
        pull += weight * (np.stack([slope, offset], axis=1) - mean)
        mixed = np.einsum('kn,kn->k', curve, x)
        hessian = np.empty((len(x), 2, 2))
        hessian[:, 0, 0] = np.einsum('kn,kn,kn->k', curve, x, x) + weight[0]
        hessian[:, 1, 1] = curve.sum(axis=1) + weight[1]
        hessian[:, 0, 1] = hessian[:, 1, 0] = mixed
        steps = np.linalg.solve(hessian, pull[..., None])[..., 0]  # (K, 2)
        steps = np.clip(steps, -1, 1)  # a full step may overshoot far from the solution
        slope, offset = slope - steps[:, 0], offset - steps[:, 1]
        if np.abs(steps).max(initial=0) < _TOLERANCE:
            return Calibration(slope, offset)
    raise RuntimeError(f'the fit of a calibration did not end after {_STEPS} steps')


def _shared_line(scores: FloatArray, targets: TargetArray) -> tuple[float, float]:
    """Fit one line to all classes together, of about ``_SHARED_ENTRIES`` entries of (N, K)."""
    step = max(1, scores.size // _SHARED_ENTRIES)
    logits, truth = score_logits(scores[::step]).reshape(1, -1), targets[::step].reshape(1, -1)
    line = fit_lines(logits, truth, (1.0, 0.0), (_SHARED_SPREAD, _SHARED_SPREAD))
    slope, offset = float(line.slopes[0]), float(line.offsets[0])
    if slope <= 0:
        raise ValueError(
            'scores must rise with the labels to be calibrated, over all classes they fall (slope '
            f'{slope:.3g}); compare the order of the classes in scores and targets'
        )
    return slope, offset


def fit_calibration(
    scores: ArrayLike,
    targets: ArrayLike,
    slope_spread: float = SLOPE_SPREAD,
    offset_spread: float = OFFSET_SPREAD,
) -> FittedCalibration:
    """Fit the line of each class from the logit of its score to that of its frequency.

    Platt, "Probabilistic Outputs for Support Vector Machines", 1999, with a prior in place of his
    smoothed targets: the line of a class is drawn towards the one of all classes together, the
    more so the fewer images show it another. A class without a positive or without a negative has
    the shared line. One whose scores fall with its labels gets a tenth of the shared slope, so that
    its order stays, and the offset that fits.

    Args:
        scores: Scores, 0 to 1, shape (N, K).
        targets: Shape (N, K): 1 positive, 0 negative, -1 ignored.
        slope_spread: Standard deviation of a class's slope about the shared one, as a part of it.
        offset_spread: The same of a class's offset, in units of the logit.

    Raises:
        ValueError: Wrong arrays, a score outside 0 to 1, no positive or no negative at all, or
            scores that fall with the labels of all classes together.
    """
    checked, truth = check_scores_targets(scores, targets)
    if checked.size and not 0 <= checked.min() <= checked.max() <= 1:
        raise ValueError(f'scores must lie in [0, 1], got {checked.min():g} to {checked.max():g}')
    positives, negatives = (truth == 1).sum(axis=0), (truth == 0).sum(axis=0)
    if not positives.any() or not negatives.any():
        raise ValueError(
            'targets must have a positive and a negative to calibrate by, got '
            f'{positives.sum()} and {negatives.sum()}'
        )
    shared = _shared_line(checked, truth)
    spread = slope_spread * shared[0], offset_spread
    num_classes = checked.shape[1]
    slopes, offsets = (np.full(num_classes, value) for value in shared)
    for start in range(0, num_classes, _BLOCK):
        part = slice(start, start + _BLOCK)
        block = np.ascontiguousarray(checked[:, part].T), np.ascontiguousarray(truth[:, part].T)
        slopes[part], offsets[part] = _fit_classes(*block, shared, spread)
    notes = [''] * num_classes
    for k in np.flatnonzero(slopes <= LEAST_SLOPE * shared[0]):
        notes[k] = 'scores do not rise with the labels: least slope'
    for k in np.flatnonzero((positives == 0) | (negatives == 0)):
        slopes[k], offsets[k] = shared
        notes[k] = f'no {"positive" if positives[k] == 0 else "negative"}: line of all classes'
    return FittedCalibration(Calibration(slopes, offsets), shared, notes)


def fit_free_classes(
    scores: NDArray[np.floating], targets: NDArray[np.int8], groups: Sequence[Group]
) -> FittedCalibration:
    """Fit as :func:`fit_calibration`, and keep the scores of classes in exclusive groups.

    A line of each class would change the sum of a group's scores, which is one, and its highest.

    Args:
        scores: Shape (N, K).
        targets: Shape (N, K).
        groups: Exclusive groups.

    Raises:
        ValueError: As for :func:`fit_calibration`, or all classes are in groups.
    """
    if not groups:
        return fit_calibration(scores, targets)
    num_classes = scores.shape[1]
    inside = [k for group in groups for k in group.classes]
    free = np.setdiff1d(np.arange(num_classes), inside)
    if not free.size:
        raise ValueError('there is no class to calibrate: all are in exclusive groups')
    fitted = fit_calibration(scores[:, free], targets[:, free])
    slopes, offsets = np.ones(num_classes), np.zeros(num_classes)
    slopes[free], offsets[free] = fitted.calibration
    notes = ['in an exclusive group: scores kept'] * num_classes
    for k, note in zip(free, fitted.notes, strict=True):
        notes[k] = note
    return FittedCalibration(Calibration(slopes, offsets), fitted.shared, notes)


def _fit_classes(
    scores: FloatArray,
    targets: TargetArray,
    shared: tuple[float, float],
    spread: tuple[float, float],
) -> Calibration:
    """Fit the lines of K classes, scores and targets (K, N); none is below the least slope."""
    num_classes, num_images = scores.shape
    least = LEAST_SLOPE * shared[0]
    found = Calibration(np.empty(num_classes), np.empty(num_classes))
    width = max(1, _CHUNK_ENTRIES // num_images)
    for start in range(0, num_classes, width):
        part = slice(start, start + width)
        logits, truth = score_logits(scores[part]), targets[part]
        line = fit_lines(logits, truth, shared, spread)
        flat = line.slopes < least
        if flat.any():
            fixed = (least, shared[1]), (1e-6 * least, spread[1])
            line.offsets[flat] = fit_lines(logits[flat], truth[flat], *fixed).offsets
            line.slopes[flat] = least
        found.slopes[part], found.offsets[part] = line
    return found
