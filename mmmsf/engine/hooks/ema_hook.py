"""Averaged weights, evaluated beside the raw ones."""

import torch
from mmengine.hooks import EMAHook
from mmengine.runner import Runner, autocast

from mmmsf.registry import HOOKS


@HOOKS.register_module()
class EMAWithRawEvalHook(EMAHook):
    """MMEngine's ``EMAHook`` that also evaluates the weights it averages.

    MMEngine validates the averaged weights only, so that a run cannot tell whether the average
    helps. Here each validation first runs over the set with the raw weights; their metrics are
    logged as ``raw/<key>``. Best checkpoint, report and pictures stay those of the average.

    Args:
        evaluate_raw: whether to; validation takes twice the time.
        **kwargs: of MMEngine's ``EMAHook``. The average's decay is ``1 - momentum``.
    """

    def __init__(self, evaluate_raw: bool = True, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.evaluate_raw = evaluate_raw
        self._raw: dict[str, float] = {}

    @torch.no_grad()
    def _evaluate(self, runner: Runner) -> dict[str, float]:
        """Metrics of the weights that are in the model now."""
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
        """Swap the raw weights back and put their metrics beside the average's."""
        super().after_val_epoch(runner, metrics)
        if metrics is not None:
            metrics.update({f'raw/{key}': value for key, value in self._raw.items()})
