"""Averaged weights, evaluated beside the raw ones."""

import torch
from mmengine.hooks import EMAHook
from mmengine.runner import Runner, autocast

from mmmsf.registry import HOOKS


@HOOKS.register_module()
class EMAWithRawEvalHook(EMAHook):
    """Average the weights as MMEngine's ``EMAHook`` and evaluate the raw ones as well.

    MMEngine validates only the averaged weights, so the log does not show whether averaging
    helps. Here each validation first evaluates the raw weights; their metrics are logged as
    ``raw/<key>``. Best checkpoint, report and pictures remain those of the average.

    Args:
        evaluate_raw: Evaluate the raw weights, which doubles the time of validation.
        **kwargs: Arguments of MMEngine's ``EMAHook``. The decay of the average is
            ``1 - momentum``.
    """

    def __init__(self, evaluate_raw: bool = True, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.evaluate_raw = evaluate_raw
        self._raw: dict[str, float] = {}

    @torch.no_grad()
    def _evaluate(self, runner: Runner) -> dict[str, float]:
        """Compute the metrics of the weights that the model currently holds."""
        loop = runner.val_loop
        runner.model.eval()
        for batch in loop.dataloader:
            with autocast(enabled=loop.fp16):
                outputs = runner.model.val_step(batch)
            loop.evaluator.process(data_samples=outputs, data_batch=batch)
        return loop.evaluator.evaluate(len(loop.dataloader.dataset))

    def before_val_epoch(self, runner: Runner) -> None:
        """Evaluate the raw weights, then swap the average in."""
        if self.evaluate_raw:
            runner.logger.info('Evaluating the raw weights; the averaged ones follow.')
            self._raw = self._evaluate(runner)
        super().before_val_epoch(runner)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Swap the raw weights back and add their metrics to those of the average."""
        super().after_val_epoch(runner, metrics)
        if metrics is not None:
            metrics.update({f'raw/{key}': value for key, value in self._raw.items()})
