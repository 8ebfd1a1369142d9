"""Compilation of the network for training."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmmsf.engine.fast_forward import compile_parts
from mmmsf.registry import HOOKS
from mmmsf.utils.unwrap import unwrap_model


@HOOKS.register_module()
class CompileHook(Hook):
    """Compile backbone, neck and head with ``torch.compile`` before training.

    The modules are compiled in place, so names in checkpoints stay the same, and a checkpoint of a
    compiled run loads into a model that is not compiled and vice versa. MMEngine's own option
    ``compile`` compiles the entire training step including the optimizer, which PyTorch 2.14
    cannot do with the parameter groups of MMEngine.

    Args:
        **options: Arguments of ``torch.compile``, for example ``mode='max-autotune'``.
    """

    def __init__(self, **options: Any) -> None:
        self.options = options

    def before_train(self, runner: Runner) -> None:
        """Compile the modules in place."""
        compile_parts(unwrap_model(runner.model), **self.options)
