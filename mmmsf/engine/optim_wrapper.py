"""Mixed-precision training on a GPU or a CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn

from mmmsf.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class CpuAmpOptimWrapper(OptimWrapper):
    """Run the forward pass under bfloat16 autocast on the CPU.

    MMEngine's ``AmpOptimWrapper`` refuses a CPU. bfloat16 has float32's range,
    so no loss scaling is needed; weights and optimizer state stay float32.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter the context of one forward pass and its gradient accumulation."""
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield


@OPTIM_WRAPPERS.register_module(name='AmpOptimWrapper')
def build_amp_optim_wrapper(**kwargs: Any) -> OptimWrapper:
    """Build the wrapper for mixed precision on this machine, so that one recipe fits all.

    Args:
        **kwargs: Arguments of MMEngine's ``OptimWrapper``, ``optimizer`` among them.

    Returns:
        MMEngine's ``AmpOptimWrapper`` (float16, dynamic loss scale) where there is a GPU, else
        :class:`CpuAmpOptimWrapper` (bfloat16).
    """
    return AmpOptimWrapper(**kwargs) if torch.cuda.is_available() else CpuAmpOptimWrapper(**kwargs)
