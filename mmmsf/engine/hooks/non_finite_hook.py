"""A guard that stops training before a NaN or infinite loss reaches the weights."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor, distributed, nn

from mmmsf.evaluation.rows import sample_name
from mmmsf.registry import HOOKS
from mmmsf.utils.unwrap import unwrap_model


class _Check(NamedTuple):
    """Losses of one forward pass and the flag that a rank has one that is not finite."""

    losses: dict[str, Tensor]
    bad: Tensor  # (), 0 or 1; over all ranks once `sharing` has completed
    sharing: distributed.Work | None

    def is_bad(self) -> bool:
        if self.sharing is not None:
            self.sharing.wait()
        return bool(self.bad)


def _mean(loss: Tensor | list[Tensor]) -> Tensor:
    """Reduce one entry of the losses as MMEngine does for its log, to a float32 scalar."""
    parts = loss if isinstance(loss, list | tuple) else [loss]
    return torch.stack([part.detach().float().mean() for part in parts]).sum()


def _names(batch: Any) -> str:
    """Name the images of a batch."""
    samples = batch.get('data_samples') if isinstance(batch, Mapping) else None
    if not samples:
        return 'a batch without data_samples'
    return ', '.join(sample_name(sample, place) for place, sample in enumerate(samples))


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stop at a loss that is NaN or infinite, with the weights of before that step.

    The losses are checked while the backward pass runs, and the optimizer steps only if those of
    all ranks are finite, so all ranks stop at the same step. Only losses count: a gradient that
    overflows in float16 is left to the loss scaler. Several ranks cost one scalar all-reduce a
    step, which overlaps with the backward pass.

    Args:
        max_skipped: Removed in 0.2.0; only 0 is accepted.

    Raises:
        ValueError: ``max_skipped`` is not 0.
        FloatingPointError: In training, on all ranks alike; names the iteration, the losses and
            the images of the batch.
    """

    priority = 'HIGH'

    def __init__(self, max_skipped: int = 0) -> None:
        if max_skipped != 0:
            raise ValueError(
                f'max_skipped must be 0, got {max_skipped}: skipping batches was removed in '
                '0.2.0; delete it from the config'
            )
        self._handles: list[Any] = []
        self._batch: Any = None
        self._checks: list[_Check] = []

    def before_train(self, runner: Runner) -> None:
        """Attach to the model and the optimizers."""
        self.after_train(runner)  # an earlier run may have ended with an error
        wrapper = runner.optim_wrapper
        wrappers = wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]
        model = unwrap_model(runner.model)
        self._handles = [
            model.register_forward_hook(self._after_forward, with_kwargs=True),
            *(
                part.optimizer.register_step_pre_hook(lambda *_: self._raise_if_bad(runner))
                for part in wrappers
            ),
        ]

    def after_train(self, runner: Runner) -> None:
        """Detach."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Keep the batch for the error message."""
        self._batch = data_batch

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Check the losses of a step that only accumulated gradients."""
        self._raise_if_bad(runner)
        self._batch = None

    def _after_forward(
        self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any
    ) -> None:
        if self._batch is None or kwargs.get('mode') != 'loss':
            return
        losses = {name: _mean(value) for name, value in outputs.items() if 'loss' in name}
        bad = (~torch.stack(list(losses.values())).sum().isfinite()).float()
        sharing = None
        if get_world_size() > 1:
            sharing = distributed.all_reduce(bad, distributed.ReduceOp.MAX, async_op=True)
        self._checks.append(_Check(losses, bad, sharing))

    def _raise_if_bad(self, runner: Runner) -> None:
        """Check the forward passes since the last call."""
        checks, self._checks = self._checks, []
        if any([check.is_bad() for check in checks]):  # a list: every exchange must complete
            raise FloatingPointError(
                f'iteration {runner.iter + 1}: {self._describe(checks)}. Training stops with the '
                'weights of before this step. Check these images and labels, or lower the '
                'learning rate'
            )

    def _describe(self, checks: list[_Check]) -> str:
        """Describe the bad losses of all ranks."""
        parts = []
        for losses in (check.losses for check in checks):
            if not torch.stack(list(losses.values())).sum().isfinite():
                values = ', '.join(f'{name}={float(loss):.6g}' for name, loss in losses.items())
                where = f' in process {get_rank()}' if get_world_size() > 1 else ''
                parts.append(f'{values}{where} for {_names(self._batch)}')
        return '; '.join(part for found in all_gather_object(parts) for part in found)
