"""Learning-rate schedules."""

from collections.abc import Sequence

from mmengine.optim import OneCycleLR as _OneCycleLR
from torch.optim import Optimizer

from mmmsf.registry import PARAM_SCHEDULERS

# State that a resumed run takes from the checkpoint: its progress, not its length.
_PROGRESS = ('last_step', '_global_step', '_last_value')


def _check_momentum(cycle_momentum: Sequence[float], optimizer: Optimizer) -> None:
    if len(cycle_momentum) != 2 or not 0 <= cycle_momentum[0] <= cycle_momentum[1] < 1:
        raise ValueError(
            f'`cycle_momentum` must be (lowest, highest) in [0, 1), got {cycle_momentum}'
        )
    if not all('betas' in group or 'momentum' in group for group in optimizer.param_groups):
        raise ValueError(
            '`cycle_momentum` must be None for an optimizer without betas or momentum, got '
            f'{cycle_momentum}'
        )


@PARAM_SCHEDULERS.register_module()
class OneCycleLR(_OneCycleLR):
    """Schedule one cycle that peaks at each parameter group's own learning rate.

    MMEngine's class assigns one ``eta_max`` to every group, which cancels ``lr_mult`` in
    ``paramwise_cfg`` and ``--auto-scale-lr``; it also restores the length of the cycle on resume,
    so a run resumed with a larger ``max_epochs`` would stay at its last learning rate. Here the
    peak defaults to the group's learning rate and the length always comes from the config. If the
    run is so short that the rise has no step, which neither MMEngine's nor PyTorch's class can
    compute, it takes one.

    Args:
        optimizer: Wrapped optimizer.
        eta_max: Peak learning rate of all groups; None takes each group's own.
        total_steps: Length of the cycle; None takes ``end - begin``.
        pct_start: Share of the cycle in which the learning rate rises.
        begin: First step of the cycle.
        end: Step after the last one.
        cycle_momentum: Lowest and highest momentum, (0.85, 0.95) in PyTorch's class: it falls from
            the highest while the rate rises, then returns. Of Adam and its kin the first beta. None
            leaves it alone, as MMEngine's class does.
        **kwargs: Arguments of MMEngine's ``OneCycleLR``.

    Raises:
        ValueError: ``cycle_momentum`` is not two ascending numbers of [0, 1), or the optimizer has
            no momentum.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        eta_max: float | None = None,
        total_steps: int | None = None,
        pct_start: float = 0.3,
        begin: int = 0,
        end: int = 10**9,
        cycle_momentum: tuple[float, float] | None = None,
        **kwargs: object,
    ) -> None:
        if cycle_momentum is not None:
            _check_momentum(cycle_momentum, optimizer)
        self.cycle_momentum = cycle_momentum
        length = end - begin if total_steps is None else total_steps
        if pct_start * length == 1:  # a rise of no step: MMEngine would divide by its length
            pct_start = 1.5 / length
        super().__init__(
            optimizer,
            eta_max=eta_max,
            total_steps=total_steps,
            pct_start=pct_start,
            begin=begin,
            end=end,
            **kwargs,
        )

    def _format_param(self, name: str, optimizer: Optimizer, param: float | None) -> list[float]:
        if param is None:
            return [group['lr'] for group in optimizer.param_groups]
        return super()._format_param(name, optimizer, param)

    def step(self) -> None:
        """Set the learning rate and, if it cycles, the momentum of each group."""
        super().step()
        if self.cycle_momentum is None or self.last_step < 0:
            return
        momentum = self._momentum(*self.cycle_momentum)
        for group in self.optimizer.param_groups:
            if 'betas' in group:
                group['betas'] = (momentum, *group['betas'][1:])
            else:
                group['momentum'] = momentum

    def _momentum(self, low: float, high: float) -> float:
        """Interpolate the momentum opposite to the learning rate."""
        level = dict(initial_lr=high, max_lr=low, min_lr=high)
        begin = 0.0
        for phase in self._schedule_phases:
            if self.last_step <= phase['end_step'] or phase is self._schedule_phases[-1]:
                break
            begin = phase['end_step']
        share = (self.last_step - begin) / (phase['end_step'] - begin)
        return self.anneal_func(level[phase['start_lr']], level[phase['end_lr']], share)

    def state_dict(self) -> dict:
        """Return the progress of the schedule: numbers only, no functions."""
        return {key: value for key, value in super().state_dict().items() if key in _PROGRESS}

    def load_state_dict(self, state_dict: dict) -> None:
        """Load the progress; a state written by MMEngine's class is accepted."""
        super().load_state_dict(
            {key: value for key, value in state_dict.items() if key in _PROGRESS}
        )
