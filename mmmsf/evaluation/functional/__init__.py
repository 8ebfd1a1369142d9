"""Pure functions of multi-label evaluation: arrays in, arrays and numbers out."""

from .average_precision import (
    AP_FLAVOURS,
    average_precision,
    grouped_average_precision,
    mean_average_precision,
)
from .precision_recall import (
    DecisionCounts,
    class_precision_recall,
    count_decisions,
    summarize_counts,
    threshold_decisions,
    threshold_metrics,
    topk_decisions,
    topk_metrics,
)
from .size_aware import (
    COCO_SIZE_THRESHOLDS,
    SIZE_NAMES,
    areas_to_sizes,
    size_aware_average_precision,
)
from .validation import check_scores, check_scores_targets, check_targets

__all__ = [
    'AP_FLAVOURS',
    'COCO_SIZE_THRESHOLDS',
    'SIZE_NAMES',
    'DecisionCounts',
    'areas_to_sizes',
    'average_precision',
    'check_scores',
    'check_scores_targets',
    'check_targets',
    'class_precision_recall',
    'count_decisions',
    'grouped_average_precision',
    'mean_average_precision',
    'size_aware_average_precision',
    'summarize_counts',
    'threshold_decisions',
    'threshold_metrics',
    'topk_decisions',
    'topk_metrics',
]
