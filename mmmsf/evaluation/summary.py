"""Summary of the rows of one evaluation: all metrics and counts in one report."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmmsf.utils.groups import Group

from .functional.average_precision import grouped_average_precision, mean_average_precision
from .functional.group_metrics import group_metrics, summarize_groups
from .functional.precision_recall import (
    DecisionCounts,
    class_precision_recall,
    count_decisions,
    summarize_counts,
    threshold_decisions,
    topk_decisions,
)
from .functional.size_aware import SIZE_NAMES
from .rows import EvaluationRows
from .tables import EvaluationReport


def threshold_suffix(thr: float) -> str:
    """Format a threshold as ``_thr-0.30``: two decimals, more if two would change the number."""
    return f'_thr-{thr:.2f}' if round(thr, 2) == thr else f'_thr-{thr!r}'


def _more_decisions(
    rows: EvaluationRows,
    thrs: Sequence[float],
    topk: int | None,
    topk_gated: bool,
    class_thr: Sequence[float] | None,
    kept: NDArray[np.bool_],
    groups: Sequence[Group],
) -> dict[str, float]:
    """Summarize the tuned, top-k and further-threshold decisions, each kind with its suffix."""
    decisions = {}
    if class_thr is not None:
        decisions['_tuned'] = threshold_decisions(rows.scores, class_thr, groups)
    if topk is not None:
        decisions[f'_top{topk}'] = topk_decisions(
            rows.scores, topk, thrs[0] if topk_gated else None
        )
    if len(thrs) > 1:
        for thr in thrs:
            decisions[threshold_suffix(thr)] = threshold_decisions(rows.scores, thr, groups)
    return {
        key + suffix: 100 * value
        for suffix, decided in decisions.items()
        for key, value in summarize_counts(
            count_decisions(decided[:, kept], rows.targets[:, kept])
        ).items()
    }


def _mean_precisions(
    ap: NDArray[np.float64], other: str, other_ap: NDArray[np.float64]
) -> dict[str, float]:
    """Average the AP of (1 + G, K), and that of the flavour ``other`` (K,), over the classes.

    A size without any positive is left out.
    """
    summary = {
        'mAP': mean_average_precision(ap[0]),
        f'mAP_{other}': mean_average_precision(other_ap),
    }
    for name, values in zip(SIZE_NAMES, ap[1:], strict=False):  # G is 0 or 3
        if not np.isnan(values).all():
            summary[f'mAP_{name}'] = mean_average_precision(values)
    return summary


def build_report(
    rows: EvaluationRows,
    classes: Sequence[str],
    thrs: Sequence[float] = (0.5,),
    topk: int | None = 3,
    topk_gated: bool = False,
    ap_flavour: str = 'area',
    size_aware: bool = True,
    class_thr: Sequence[float] | None = None,
    min_positives: int = 0,
    groups: Sequence[Group] = (),
) -> EvaluationReport:
    """Compute all metrics of N images and K classes.

    Args:
        rows: Scores and targets, every image once.
        classes: K class names.
        thrs: At least one threshold; the first gives the plain keys and the per-class counts.
        topk: Number of decisions per image of the top-k metrics; ``None`` for none.
        topk_gated: Require a score of at least ``thrs[0]`` of a top-k decision.
        ap_flavour: See ``functional.average_precision``.
        size_aware: Use ``rows.sizes``.
        class_thr: K thresholds for keys such as ``CF1_tuned``; ``None`` for none.
        min_positives: Classes with fewer positives are left out of the summary.
        groups: Exclusive groups: decisions at thresholds keep their rules, and the summary has
            their accuracy and F1 at ``thrs[0]``.

    Returns:
        A report in percent. A size without any positive has no entry in its summary; ``mAP_voc``
        is beside an ``mAP`` of flavour ``area``, and ``mAP_area`` beside one of any other.

    Raises:
        ValueError: No class has ``min_positives`` positives.
    """
    num_sizes = len(SIZE_NAMES) if size_aware else 0
    sizes = rows.sizes if size_aware else None
    ap = 100 * grouped_average_precision(rows.scores, rows.targets, sizes, num_sizes, ap_flavour)
    decided = threshold_decisions(rows.scores, thrs[0], groups)
    counts = count_decisions(decided, rows.targets)
    kept = counts.positives >= min_positives  # (K,)
    if not kept.any():
        raise ValueError(
            f'no class has min_positives={min_positives} positive images; the most '
            f'frequent one has {counts.positives.max()}'
        )
    other = 'voc' if ap_flavour == 'area' else 'area'
    other_ap = 100 * grouped_average_precision(rows.scores, rows.targets, None, 0, other)[0]
    summary = _mean_precisions(ap[:, kept], other, other_ap[kept])
    of_kept = DecisionCounts(*(count[kept] for count in counts))
    summary |= {key: 100 * value for key, value in summarize_counts(of_kept).items()}
    summary |= _more_decisions(rows, thrs, topk, topk_gated, class_thr, kept, groups)
    of_groups = tuple(group_metrics(decided, rows.targets, x, min_positives) for x in groups)
    summary |= {key: 100 * value for key, value in summarize_groups(of_groups).items()}
    precision, recall = class_precision_recall(counts)
    return EvaluationReport(
        classes=tuple(classes),
        ap=ap[0],
        ap_by_size=None if np.isnan(ap[1:]).all() else ap[1:],
        positives=counts.positives,
        predicted=counts.predicted,
        correct=counts.correct,
        precision=100 * precision,
        recall=100 * recall,
        thr=thrs[0],
        summary=summary,
        num_images=len(rows.scores),
        ap_flavour=ap_flavour,
        groups=of_groups,
    )
