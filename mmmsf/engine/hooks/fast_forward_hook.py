"""Fast forward passes in the test loop."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmmsf.engine.fast_forward import FastForward, FastOptions
from mmmsf.registry import HOOKS
from mmmsf.utils.unwrap import unwrap_model


def _replace(runner: Runner, old: nn.Module, new: nn.Module) -> None:
    """Replace a model where the runner, or a wrapper of the runner's model, holds it."""
    holder: Any = runner
    name, model = 'model', runner.model
    while model is not old:
        holder, name, model = model, 'module', model.module
    setattr(holder, name, new)


@HOOKS.register_module()
class FastForwardHook(Hook):
    """Test with a prepared copy of the network; training and validation do not change.

    The copy is made at the first batch, after other hooks have exchanged the weights, and given up
    at the end of the test.

    Args:
        **options: Fields of :class:`mmmsf.engine.FastOptions`.
    """

    def __init__(self, **options: bool) -> None:
        self.options = FastOptions(**options)
        self._fast: FastForward | None = None

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Replace the model at the first batch."""
        if batch_idx == 0:
            self._given = unwrap_model(runner.model)
            self._fast = FastForward(
                self._given, self.options, runner.test_dataloader.batch_size or 1
            )
            _replace(runner, self._given, self._fast)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Restore the model."""
        if self._fast is not None:
            _replace(runner, self._fast, self._given)
            self._fast = None
