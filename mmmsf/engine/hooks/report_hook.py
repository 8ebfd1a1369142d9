"""Keep the full evaluation result beside the logs."""

from pathlib import Path

from mmengine.dist import master_only
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmmsf.registry import HOOKS


@HOOKS.register_module()
class ReportHook(Hook):
    """Write ``metrics.json`` and ``per_class.csv`` after each validation and test.

    They go to ``<work_dir>/val`` and ``<work_dir>/test`` and always show the
    latest evaluation. They come from the ``report`` that
    :class:`mmmsf.evaluation.MultiLabelMetric` leaves; other metrics are ignored.
    """

    priority = 'LOW'

    @master_only
    def _save(self, runner: Runner, evaluator: Evaluator, mode: str) -> None:
        for metric in evaluator.metrics:
            report = getattr(metric, 'report', None)
            if report is not None:
                out_dir = Path(runner.work_dir) / mode
                report.save(out_dir)
                runner.logger.info(f'Metrics and AP per class written to {out_dir}')

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Save the validation report."""
        self._save(runner, runner.val_loop.evaluator, 'val')

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Save the test report."""
        self._save(runner, runner.test_loop.evaluator, 'test')
