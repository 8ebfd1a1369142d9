"""Class thresholds tuned on the validation images and stored in the checkpoints."""

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from numpy.typing import NDArray

from mmmsf.checkpoint.files import read_checkpoint, write_checkpoint
from mmmsf.evaluation import MultiLabelMetric
from mmmsf.evaluation.tuning import MIN_POSITIVES, threshold_table, tune_frequent_classes
from mmmsf.registry import HOOKS
from mmmsf.utils.groups import ungated_classes

_BY_HAND = 'tools/analysis/tune_thresholds.py stores some in a checkpoint'


@HOOKS.register_module()
class TuneThresholdsHook(Hook):
    """Tune one threshold per class for the highest F1 on the validation images.

    The best checkpoint gets, as it is written, those of the validation that made it the best. The
    last one is written before its validation; it is rewritten, atomically, when the training ends.
    The log then has the rates at the default threshold and at the tuned ones: both on the images
    that the thresholds were tuned on, where the tuned ones look better than on others.

    The main process tunes, on the rows of the first :class:`mmmsf.evaluation.MultiLabelMetric`.

    Args:
        enabled: False stores nothing.
        min_positives: A class with fewer positive validation images keeps the metric's first
            ``thr``.

    Raises:
        ValueError: ``min_positives`` is below 1.
        OSError: At the end of training, if the last checkpoint cannot be written; it is unchanged.
    """

    def __init__(self, enabled: bool = True, min_positives: int = MIN_POSITIVES) -> None:
        if min_positives < 1:
            raise ValueError(f'min_positives must be at least 1, got {min_positives}')
        self.enabled = enabled
        self.min_positives = min_positives
        self.values: NDArray[np.floating] | None = None  # (K,), for the current weights only

    def _metric(self, runner: Runner) -> MultiLabelMetric | None:
        metrics = runner.val_loop.evaluator.metrics
        return next((metric for metric in metrics if isinstance(metric, MultiLabelMetric)), None)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Forget the thresholds of weights that now change."""
        self.values = None

    def before_val_epoch(self, runner: Runner) -> None:
        """Make the metric keep its rows."""
        metric = self._metric(runner) if self.enabled else None
        if metric is not None:
            metric.keep_rows = True

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Tune on the rows of this validation, which the main process has."""
        metric = self._metric(runner) if self.enabled else None
        if metric is not None and metric.rows is not None:
            scores, targets = metric.rows.scores, metric.rows.targets
            self.values = tune_frequent_classes(
                scores,
                targets,
                self.min_positives,
                default=metric.thrs[0],
                groups=metric.groups,
            ).values

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the thresholds to a checkpoint of the validated weights."""
        if self.values is not None:
            checkpoint['meta']['thresholds'] = self.values.tolist()

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Add the thresholds to the last checkpoint and log the table."""
        if not self.enabled:
            return
        if self.values is None:
            runner.logger.info(
                'No thresholds tuned in this run: no validation with mmmsf.MultiLabelMetric '
                f'followed its last step; {_BY_HAND}'
            )
            return
        self._log_table(runner)
        path = runner.message_hub.runtime_info.get('last_ckpt')
        if path is None or not Path(path).is_file():
            runner.logger.warning(f'No thresholds stored: no local file {path}; {_BY_HAND}')
            return
        found = read_checkpoint(path)
        if found['meta'].get('iter') != runner.iter:
            runner.logger.info(f'No thresholds stored: {path} is older than the last validation')
            return
        found['meta']['thresholds'] = self.values.tolist()
        write_checkpoint(path, found, shared=False)
        runner.logger.info(f'Thresholds stored in {path}')

    def _log_table(self, runner: Runner) -> None:
        metric = self._metric(runner)
        assert metric is not None and metric.rows is not None and self.values is not None
        scores, targets = metric.rows.scores, metric.rows.targets
        positives, default = (targets == 1).sum(axis=0), metric.thrs[0]
        kept = positives >= metric.min_positives  # (K,), as in the metric's own means
        groups = metric.groups
        if groups:  # a table of a part of a group would mean nothing
            kept = np.ones_like(kept)
        rows = {f'{default:g}': default, 'tuned on these images': self.values[kept]}
        rare = positives < self.min_positives
        rare[ungated_classes(groups)] = False
        note = '' if not groups else f'; {len(ungated_classes(groups))} in groups need none'
        runner.logger.info(
            f'Thresholds tuned on these {len(scores)} validation images, so that the second row is '
            'too high (%); on others, see tools/analysis/tune_thresholds.py\n'
            f'{threshold_table(scores[:, kept], targets[:, kept], rows, groups)}\n'
            f'{rare.sum()} of {len(positives)} classes have fewer than '
            f'{self.min_positives} positives and keep {default:g}{note}'
        )


def tuned_thresholds(runner: Runner) -> NDArray[np.floating] | None:
    """Return the thresholds (K,) that a hook of the run has tuned for the current weights."""
    hooks = [hook for hook in runner.hooks if isinstance(hook, TuneThresholdsHook)]
    return hooks[0].values if hooks else None
