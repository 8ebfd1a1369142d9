"""Likelihood that a label is wrong, from scores of a model that has not seen the image."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

EDGE = 1e-6  # scores are clipped to this and one minus this
ERROR_SHARE = 0.05  # assumed share of the marks that are false, and of those that are missing
# Standard deviations of the priors of the calibration: the offset and the slope of a class around
# the common ones (logits have the deviation 1), and the common slope around 0
OFFSET, SLOPE, COMMON = 1.0, 3.0, 10.0


def calibrate(
    scores: NDArray[np.floating], targets: NDArray[np.signedinteger]
) -> NDArray[np.float64]:
    """Fit the log-odds of each class to the labels: an offset and a slope of its logits.

    One logistic regression over all known pairs. The offset and the slope of a class are drawn
    towards common ones, the more the fewer labels it has; a slope is never negative.

    Args:
        scores: Scores, 0 to 1, (N, K).
        targets: 1 marked, 0 not, -1 unknown, (N, K).

    Returns:
        Log-odds of the mark, (N, K).
    """
    K = scores.shape[1]
    logits = logit(np.clip(scores.astype(np.float64), EDGE, 1 - EDGE))
    known = targets >= 0
    x = (logits - logits[known].mean()) / max(float(logits[known].std()), EDGE)
    y = (targets == 1).astype(np.float64)

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        offset, slope, offsets, slopes = np.split(values, (1, 2, 2 + K))
        z = offset + offsets + slopes * x  # (N, K)
        misfit = np.where(known, np.logaddexp(0, z) - y * z, 0).sum()
        rest = np.where(known, expit(z) - y, 0)
        away = slopes - slope
        prior = (offsets**2).sum() / OFFSET**2 + (away**2).sum() / SLOPE**2 + slope**2 / COMMON**2
        gradient = (
            [rest.sum()],
            slope / COMMON**2 - away.sum() / SLOPE**2,
            rest.sum(axis=0) + offsets / OFFSET**2,
            (rest * x).sum(axis=0) + away / SLOPE**2,
        )
        return float(misfit + prior.item() / 2), np.concatenate(gradient)

    free, positive = (None, None), (0, None)
    bounds = [free, positive, *[free] * K, *[positive] * K]
    start = np.concatenate([np.zeros(1), np.ones(1), np.zeros(K), np.ones(K)])
    options = dict(maxiter=1000, maxfun=2000)
    found = minimize(loss, start, jac=True, method='L-BFGS-B', bounds=bounds, options=options).x
    offset, _, offsets, slopes = np.split(found, (1, 2, 2 + K))
    return offset + offsets + slopes * x


def likelihood_wrong(
    scores: NDArray[np.floating], targets: NDArray[np.signedinteger]
) -> NDArray[np.float64]:
    """Compute how likely each label is wrong.

    By Bayes' rule, if in every class a share of ``ERROR_SHARE`` of the marks is false and as many
    are missing. A missing mark is as likely as the calibrated score says. A mark is a statement of
    someone who saw the image, so that the rarity of the class does not count against it: only the
    ratio of the likelihoods of the score with and without the class does. An estimate: the
    calibration is fitted to the labels with their errors, which keeps it from the extremes.

    Args:
        scores: Scores, 0 to 1, (N, K).
        targets: 1 marked, 0 not, -1 unknown, (N, K).

    Returns:
        Likelihood, 0 to 1, (N, K); NaN for an unknown label.

    Raises:
        ValueError: There are not both, marked and unmarked pairs.
    """
    marked, known = (targets == 1).sum(axis=0), (targets >= 0).sum(axis=0)
    if not 0 < marked.sum() < known.sum():
        raise ValueError(
            f'labels must be marked in some pairs and not in others, got {marked.sum()} marks in '
            f'{known.sum()} known pairs'
        )
    log_odds = calibrate(scores, targets)
    rarity = logit((marked + 0.5) / (known + 1))  # (K,)
    wrong = logit(ERROR_SHARE) + np.where(targets == 1, rarity - log_odds, log_odds)
    return np.where(targets >= 0, expit(wrong), np.nan)


def cleanlab_quality(
    scores: NDArray[np.floating], targets: NDArray[np.signedinteger]
) -> NDArray[np.float64]:
    """Return one minus the label quality of cleanlab, for comparison; the arguments are the same.

    Raises:
        ValueError: cleanlab is not installed, or a label is unknown.
    """
    try:
        from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class
    except ImportError as error:
        raise ValueError("--method cleanlab needs: pip install 'mmmsf[evidence]'") from error
    if (targets < 0).any():
        raise ValueError('--method cleanlab cannot use unknown labels')
    labels = [np.flatnonzero(row).tolist() for row in targets]
    return 1 - np.asarray(get_label_quality_scores_per_class(labels, scores.astype(np.float64)))


METHODS = dict(ours=likelihood_wrong, cleanlab=cleanlab_quality)
