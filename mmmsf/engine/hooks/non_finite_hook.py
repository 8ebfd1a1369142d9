"""Keep losses that are NaN or infinite away from the weights."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor, distributed, nn
from torch.optim import Optimizer

from mmmsf.evaluation.rows import sample_name
from mmmsf.registry import HOOKS
from mmmsf.utils.unwrap import unwrap_model


class _Check(NamedTuple):
    """One forward pass: its losses, and whether a process has one that is not finite."""

    losses: dict[str, Tensor]
    bad: Tensor  # (), 0 or 1; of all processes once `sharing` is over
    sharing: distributed.Work | None

    def is_bad(self) -> bool:
        if self.sharing is not None:
            self.sharing.wait()
        return bool(self.bad)


def _mean(loss: Tensor | list[Tensor]) -> Tensor:
    """What MMEngine adds up and logs of one entry of the losses, a float32 scalar."""
    parts = loss if isinstance(loss, list | tuple) else [loss]
    return torch.stack([part.detach().float().mean() for part in parts]).sum()


def _names(batch: Any) -> str:
    """The images of a batch."""
    samples = batch.get('data_samples') if isinstance(batch, Mapping) else None
    if not samples:
        return 'a batch without data_samples'
    return ', '.join(sample_name(sample.to_dict(), place) for place, sample in enumerate(samples))


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stop at a loss that is NaN or infinite, or go on without its batch, weights untouched.

    The losses are checked while the backward pass runs, and the optimizer steps only if those of
    all processes are finite: all stop, or all skip, at the same step. Only losses count: a
    gradient that overflows in float16 is the loss scaler's to handle.

    A skipped batch leaves weights, optimizer state and buffers (batch norm's statistics) as they
    were; with gradient accumulation, the update that it belongs to is left out. The number of
    skipped batches is logged as ``skipped_batches`` and goes on after a resume.

    Cost: one scalar all-reduce a step, in the shade of the backward pass, where there are several
    processes; with ``max_skipped``, a copy of the buffers a step.

    Args:
        max_skipped: how many batches in a row may be skipped before the run stops; 0 stops at
            the first.

    Raises:
        ValueError: ``max_skipped`` is negative, or not 0 where there are several optimizers.
        FloatingPointError: in training, in every process alike; names the iteration, the
            losses and the images of the batch.
    """

    priority = 'HIGH'

    def __init__(self, max_skipped: int = 0) -> None:
        if max_skipped < 0:
            raise ValueError(f'max_skipped must be at least 0, got {max_skipped}')
        self.max_skipped = max_skipped
        self._handles: list[Any] = []
        self._batch: Any = None
        self._checks: list[_Check] = []
        self._buffers: list[tuple[Tensor, Tensor]] = []  # and what they were before the step
        self._in_row = self._skipped = 0
        self._drop = False  # the gradients collected since the last update are spoiled

    def before_train(self, runner: Runner) -> None:
        """Attach to the model and the optimizer."""
        wrapper = runner.optim_wrapper
        several = isinstance(wrapper, OptimWrapperDict)
        if several and self.max_skipped:
            raise ValueError(
                'max_skipped needs a single optimizer, this run has '
                f'{list(wrapper.keys())}; set max_skipped=0'
            )
        self._skipped = runner.message_hub.runtime_info.get('skipped_batches', 0)
        self.after_train(runner)  # a run before this one may have ended with an error
        self._handles = [
            unwrap_model(runner.model).register_forward_hook(self._after_forward, with_kwargs=True)
        ]
        for optimizer in (
            [part.optimizer for part in wrapper.values()] if several else [wrapper.optimizer]
        ):
            self._handles.append(
                optimizer.register_step_pre_hook(
                    lambda optimizer, *_: self._before_step(runner, optimizer)
                )
            )

    def after_train(self, runner: Runner) -> None:
        """Detach."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Keep what may have to be named or restored."""
        self._batch = data_batch
        if self.max_skipped:
            self._buffers = [(buffer, buffer.clone()) for buffer in runner.model.buffers()]

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Decide where the optimizer did not step, and log the count."""
        self._settle(runner)
        self._batch, self._buffers = None, []
        if self.max_skipped:
            self._drop &= not runner.optim_wrapper.should_update()
            runner.message_hub.update_scalar('train/skipped_batches', self._skipped)

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

    def _before_step(self, runner: Runner, optimizer: Optimizer) -> None:
        self._settle(runner)
        if self._drop:
            optimizer.zero_grad(set_to_none=True)  # optimizers pass over weights without one

    def _settle(self, runner: Runner) -> None:
        """Read the verdict on the forward passes since the last call, and act on it."""
        checks, self._checks = self._checks, []
        if not checks:
            return
        if not any([check.is_bad() for check in checks]):  # a list: every exchange must end
            self._in_row = 0
            return
        self._in_row += 1
        for buffer, before in self._buffers:
            buffer.copy_(before)
        message = f'iteration {runner.iter + 1}: ' + self._describe(checks)
        if self._in_row > self.max_skipped:
            raise FloatingPointError(
                f'{message}. The run stops with the weights of before this step. Check these '
                'images and labels, lower the learning rate, or let '
                'default_hooks.non_finite.max_skipped batches in a row be skipped '
                f'(now {self.max_skipped})'
            )
        self._drop = True
        self._skipped += 1
        runner.message_hub.update_info('skipped_batches', self._skipped)
        runner.logger.warning(
            f'{message}. Skipped; {self._skipped} batches so far, '
            f'{self._in_row} in a row of at most {self.max_skipped}'
        )

    def _describe(self, checks: list[_Check]) -> str:
        """What is wrong in which process, for the log of any of them."""
        parts = []
        for losses in (check.losses for check in checks):
            if not torch.stack(list(losses.values())).sum().isfinite():
                values = ', '.join(f'{name}={float(loss):.6g}' for name, loss in losses.items())
                where = f' in process {get_rank()}' if get_world_size() > 1 else ''
                parts.append(f'{values}{where} for {_names(self._batch)}')
        return '; '.join(part for found in all_gather_object(parts) for part in found)
