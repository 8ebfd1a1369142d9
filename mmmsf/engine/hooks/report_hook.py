"""Files with the full evaluation results, beside the logs."""

from pathlib import Path

from mmengine.dist import master_only
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmmsf.evaluation import MultiLabelMetric, Predictions
from mmmsf.registry import HOOKS
from mmmsf.utils.unwrap import averages_views


@HOOKS.register_module()
class ReportHook(Hook):
    """Write metrics, AP per class and all scores after each validation and test.

    ``metrics.json``, ``per_class.csv`` and ``predictions.npz`` (which
    ``tools/analysis/compare.py`` reads) go to ``<work_dir>/val`` and
    ``<work_dir>/test`` and always show the latest evaluation. They come from
    :class:`mmmsf.evaluation.MultiLabelMetric`; other metrics are ignored.

    Args:
        predictions: Write ``predictions.npz``: 6 bytes per image and class before compression.
    """

    priority = 'LOW'

    def __init__(self, predictions: bool = True) -> None:
        self.predictions = predictions

    def _keep(self, evaluator: Evaluator) -> None:
        for metric in evaluator.metrics:
            if isinstance(metric, MultiLabelMetric):
                metric.keep_rows = metric.keep_rows or self.predictions

    @master_only
    def _save(self, runner: Runner, loop: BaseLoop, mode: str) -> None:
        out_dir = Path(runner.work_dir) / mode
        tta = averages_views(runner.model)
        for metric in loop.evaluator.metrics:
            if not isinstance(metric, MultiLabelMetric) or metric.report is None:
                continue
            metric.report.save(out_dir)
            if self.predictions and metric.rows is not None:
                found = Predictions.from_rows(
                    metric.rows, loop.dataloader.dataset, metric.calibrated, tta
                )
                found.save(out_dir / 'predictions.npz')
            runner.logger.info(f'Metrics, AP per class and scores written to {out_dir}')

    def before_val_epoch(self, runner: Runner) -> None:
        """Make the metric keep its rows."""
        self._keep(runner.val_loop.evaluator)

    def before_test_epoch(self, runner: Runner) -> None:
        """Make the metric keep its rows."""
        self._keep(runner.test_loop.evaluator)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Save the validation report."""
        self._save(runner, runner.val_loop, 'val')

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Save the test report."""
        self._save(runner, runner.test_loop, 'test')
