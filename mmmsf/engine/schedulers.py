"""Learning-rate schedules."""

from mmengine.optim import OneCycleLR as _OneCycleLR
from torch.optim import Optimizer

from mmmsf.registry import PARAM_SCHEDULERS

# State that a resumed run takes from the checkpoint: its progress, not its length.
_PROGRESS = ('last_step', '_global_step', '_last_value')


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
        **kwargs: Arguments of MMEngine's ``OneCycleLR``.
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
        **kwargs: object,
    ) -> None:
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

    def state_dict(self) -> dict:
        """Return the progress of the schedule: numbers only, no functions."""
        return {key: value for key, value in super().state_dict().items() if key in _PROGRESS}

    def load_state_dict(self, state_dict: dict) -> None:
        """Load the progress; a state written by MMEngine's class is accepted."""
        super().load_state_dict(
            {key: value for key, value in state_dict.items() if key in _PROGRESS}
        )
