"""The epoch for losses that depend on it."""

from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmmsf.models.losses import set_epoch
from mmmsf.registry import HOOKS


@HOOKS.register_module()
class LossEpochHook(Hook):
    """Call ``set_epoch(epoch)`` of every loss that has it, at the start of each epoch.

    The first epoch is 0. The number is that of the training loop, so a resumed run continues with
    the right one, also in the middle of an epoch.

    Raises:
        ValueError: Such a loss is trained by a loop that does not count epochs.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the epoch."""
        if set_epoch(runner.model, runner.epoch) and not isinstance(
            runner.train_loop, EpochBasedTrainLoop
        ):
            raise ValueError(
                'a loss that depends on the epoch must be trained by epochs, got '
                f'{type(runner.train_loop).__name__}: set by_epoch=True in `train_cfg`'
            )
