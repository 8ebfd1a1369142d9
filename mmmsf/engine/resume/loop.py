"""The training loop that resumes exactly."""

from typing import Any

from mmengine.dist import get_rank
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn

from mmmsf.registry import LOOPS

from .sampler import seeded_loader
from .seeding import EPOCH, STEP, VALIDATION, seed_generators


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """Train by epochs such that a resumed run ends with the weights of an uninterrupted one.

    Differences from MMEngine's ``EpochBasedTrainLoop``:

    - Random numbers of a training step, of a sample's augmentation and of a validation depend only
      on the seed and on their position in the run, so no generator state has to be saved.
    - A run resumed in the middle of an epoch continues with the next batch, without loading the
      batches before it; MMEngine starts the epoch again.
    - A validation that was due but did not finish is run after resuming; MMEngine omits it.
    - The order of the samples is that of the first run, even without a seed.

    In a config: ``train_cfg = dict(type='mmmsf.ResumableTrainLoop', max_epochs=80)``.

    Args:
        runner: Runner of the training.
        dataloader: Config of the training loader.
        **kwargs: Arguments of MMEngine's ``EpochBasedTrainLoop``: ``max_epochs``, ``val_begin``,
            ``val_interval``, ``dynamic_intervals``.

    Raises:
        TypeError: ``dataloader`` is not a config.
    """

    def __init__(self, runner: Runner, dataloader: dict[str, Any], **kwargs: Any) -> None:
        if not isinstance(dataloader, dict):
            raise TypeError(
                'ResumableTrainLoop must build the training loader itself: '
                '`train_dataloader` must be a config, got a '
                f'{type(dataloader).__name__}'
            )
        super().__init__(runner, seeded_loader(dataloader), **kwargs)
        self._start = 0  # batches of the current epoch that an earlier run has trained on

    def run(self) -> nn.Module:
        """Train, from the position of the loaded checkpoint if there is one."""
        info = self.runner.message_hub.runtime_info
        place = {key: info[key] for key in ('epoch', 'iter') if key in info}
        self.runner.call_hook('before_train')
        # The loop counts completed epochs and steps, the hub the current ones, as without a stop.
        self.runner.message_hub.update_info_dict(place)
        self._restore_position()
        if self.epoch > 0 and self._start == 0:
            self._validate_if_due()
        while self.epoch < self.max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        self.runner.call_hook('after_train')
        return self.runner.model

    def _restore_position(self) -> None:
        """Restore the position in the epoch and the sampler's seed; store both for a resume."""
        hub, sampler, length = (
            self.runner.message_hub,
            self.dataloader.batch_sampler.sampler,
            len(self.dataloader),
        )
        before = hub.runtime_info.get('batches_per_epoch')
        start = self.iter - self.epoch * length
        if before == length and 0 <= start <= length:
            self._start = start
        elif start != 0:
            self.runner.logger.warning(
                f'The checkpoint was written after {self.iter} steps with {before or "unknown"} '
                f'steps an epoch, now there are {length}: epoch {self.epoch + 1} starts with its '
                'first batch'
            )
        hub.update_info('batches_per_epoch', length)
        if hasattr(sampler, 'seed'):
            sampler.seed = hub.runtime_info.get('sampler_seed', sampler.seed)
            hub.update_info('sampler_seed', sampler.seed)

    def run_epoch(self) -> None:
        """Iterate over the remaining batches of the epoch."""
        start, self._start = self._start, 0
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        self._seed(EPOCH, self.epoch)
        self.dataloader.batch_sampler.set_position(self.runner.seed, self.epoch, start)
        for index, batch in enumerate(self.dataloader, start):
            self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Run one step with its own random numbers."""
        self._seed(STEP, self.iter)
        super().run_iter(idx, data_batch)

    def _seed(self, purpose: int, number: int) -> None:
        seed_generators(purpose, number, get_rank(), self.runner.seed)

    def _validate_if_due(self) -> None:
        """Validate after an epoch that requires it, unless the loaded run has already done so."""
        self._decide_current_val_interval()
        hub, last = self.runner.message_hub, self.epoch == self.max_epochs
        if (
            self.runner.val_loop is None
            or self.epoch < self.val_begin
            or not (last or self.epoch % self.val_interval == 0)
            or hub.runtime_info.get('validated_epoch') == self.epoch
        ):
            return
        # No checkpoint that could contain this is written before the validation ends.
        hub.update_info('validated_epoch', self.epoch)
        self._seed(VALIDATION, self.epoch)
        self.runner.val_loop.run()
