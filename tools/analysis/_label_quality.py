"""Likelihood that a label is wrong, from scores of a model that has not seen the image."""

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from mmmsf.evaluation.platt import fit_calibration
from mmmsf.models.heads.calibration import score_logits

ERROR_SHARE = 0.05  # assumed share of the marks that are false, and of those that are missing
# Freedom of the classes in the calibration, more than for scores of its own use: it is the order of
# pairs of different classes that counts here (configs/labels/README.md)
SLOPE_SPREAD, OFFSET_SPREAD = 1.0, 2.0


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
        ValueError: There are not both, marked and unmarked pairs, or the scores fall with the marks
            over all classes.
    """
    slopes, offsets = fit_calibration(scores, targets, SLOPE_SPREAD, OFFSET_SPREAD).calibration
    log_odds = slopes * score_logits(scores) + offsets
    marked, known = (targets == 1).sum(axis=0), (targets >= 0).sum(axis=0)
    rarity = logit((marked + 0.5) / (known + 1))  # (K,)
    wrong = logit(ERROR_SHARE) + np.where(targets == 1, rarity - log_odds, log_odds)
    return np.where(targets >= 0, expit(wrong), np.nan)


def cleanlab_likelihood(
    scores: NDArray[np.floating], targets: NDArray[np.signedinteger]
) -> NDArray[np.float64]:
    """Rank by cleanlab, for comparison: what its filter of each class flags comes first.

    Args:
        scores: Scores, 0 to 1, (N, K).
        targets: 1 marked, 0 not, (N, K).

    Returns:
        One minus the label quality, halved, and 0.5 more for the flagged labels; (N, K).

    Raises:
        ValueError: cleanlab is not installed, or a label is unknown.
    """
    try:
        from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class
        from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class
    except ImportError as error:
        raise ValueError("--method cleanlab needs: pip install 'mmmsf[evidence]'") from error
    if (targets < 0).any():
        raise ValueError(
            f'--method cleanlab knows no unknown labels, got {(targets < 0).sum()}; use ours'
        )
    labels = [np.flatnonzero(row).tolist() for row in targets]
    wide = scores.astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', UserWarning)  # a class with few labels, once for each
        flagged = find_multilabel_issues_per_class(labels, wide, n_jobs=1)
    quality = get_label_quality_scores_per_class(labels, wide)
    return (1 - np.asarray(quality) + np.asarray(flagged)) / 2


METHODS = dict(ours=likelihood_wrong, cleanlab=cleanlab_likelihood)
