"""Evaluation: pure metric functions, the registered metric and its report."""

from .metric import MultiLabelMetric
from .predictions import Predictions
from .tables import EvaluationReport

__all__ = ['EvaluationReport', 'MultiLabelMetric', 'Predictions']
