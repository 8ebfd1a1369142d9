"""Evaluation: pure metric functions, the registered metric and its report."""

from .multi_label_metric import MultiLabelMetric
from .predictions import Predictions
from .report import EvaluationReport

__all__ = ['EvaluationReport', 'MultiLabelMetric', 'Predictions']
