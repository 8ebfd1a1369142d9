"""The training loop that goes on after a stop as if there had been none."""

from typing import Any

from mmengine.dist import get_rank
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn

from mmmsf.registry import LOOPS

from .sampler import seeded_loader
from .seeding import EPOCH, STEP, VALIDATION, seed_generators


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """MMEngine's epoch-based loop whose resumed runs end with the weights of uninterrupted ones.

    - Random numbers of a training step, of a sample's augmentation and of a validation depend on
      the seed and on their place in the run only, so nothing of them need be saved.
    - A checkpoint from the middle of an epoch goes on with the next batch; MMEngine begins the
      epoch again. The batches before it are not loaded.
    - A validation that was due but did not end is made up for: MMEngine leaves it out.
    - The order of the samples is the first run's also where no seed was given.

    In a config: ``train_cfg = dict(type='mmmsf.ResumableTrainLoop', max_epochs=80)``.

    Args:
        runner: the runner.
        dataloader: config of the training loader.
        **kwargs: as MMEngine's ``EpochBasedTrainLoop``: ``max_epochs``, ``val_begin``,
            ``val_interval``, ``dynamic_intervals``.

    Raises:
        TypeError: the loader is not a config.
    """

    def __init__(self, runner: Runner, dataloader: dict[str, Any], **kwargs: Any) -> None:
        if not isinstance(dataloader, dict):
            raise TypeError(
                'ResumableTrainLoop must build the training loader itself: '
                '`train_dataloader` must be a config, got a '
                f'{type(dataloader).__name__}'
            )
        super().__init__(runner, seeded_loader(dataloader), **kwargs)
        self._start = 0  # batches of the current epoch that an earlier run has had

    def run(self) -> nn.Module:
        """Train, from where the checkpoint is if there is one."""
        info = self.runner.message_hub.runtime_info
        place = {key: info[key] for key in ('epoch', 'iter') if key in info}
        self.runner.call_hook('before_train')
        # A resumed run stands behind an epoch or step; the hub is still in it, as without a stop.
        self.runner.message_hub.update_info_dict(place)
        self._take_up()
        if self._epoch > 0 and self._start == 0:
            self._validate_if_due()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        self.runner.call_hook('after_train')
        return self.runner.model

    def _take_up(self) -> None:
        """Find the place in the epoch and the sampler's seed; leave both for the next resume."""
        hub, sampler, length = (
            self.runner.message_hub,
            self.dataloader.batch_sampler.sampler,
            len(self.dataloader),
        )
        before = hub.runtime_info.get('batches_per_epoch')
        start = self._iter - self._epoch * length
        if before == length and 0 <= start <= length:
            self._start = start
        elif start != 0:
            self.runner.logger.warning(
                f'The checkpoint was written after {self._iter} steps with {before or "unknown"} '
                f'steps an epoch, now there are {length}: epoch {self._epoch + 1} starts with its '
                'first batch'
            )
        hub.update_info('batches_per_epoch', length)
        if hasattr(sampler, 'seed'):
            sampler.seed = hub.runtime_info.get('sampler_seed', sampler.seed)
            hub.update_info('sampler_seed', sampler.seed)

    def run_epoch(self) -> None:
        """Iterate over the epoch's batches, or over those that are left of it."""
        start, self._start = self._start, 0
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        self._seed(EPOCH, self._epoch)
        self.dataloader.batch_sampler.set_position(self.runner.seed, self._epoch, start)
        for index, batch in enumerate(self.dataloader, start):
            self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """One step, with random numbers of its own."""
        self._seed(STEP, self._iter)
        super().run_iter(idx, data_batch)

    def _seed(self, purpose: int, number: int) -> None:
        seed_generators(purpose, number, get_rank(), self.runner.seed)

    def _validate_if_due(self) -> None:
        """Validate after an epoch that asks for it, unless the checkpoint has it behind it."""
        self._decide_current_val_interval()
        hub, last = self.runner.message_hub, self._epoch == self._max_epochs
        if (
            self.runner.val_loop is None
            or self._epoch < self.val_begin
            or not (last or self._epoch % self.val_interval == 0)
            or hub.runtime_info.get('validated_epoch') == self._epoch
        ):
            return
        # Until the validation is over no checkpoint is written that could carry this.
        hub.update_info('validated_epoch', self._epoch)
        self._seed(VALIDATION, self._epoch)
        self.runner.val_loop.run()
