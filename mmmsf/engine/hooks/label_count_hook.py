"""The number of training images of each class for losses that depend on it."""

import numpy as np
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmmsf.models.losses import losses_with, set_label_counts
from mmmsf.registry import HOOKS


@HOOKS.register_module()
class LabelCountHook(Hook):
    """Call ``set_label_counts(counts, num_images)`` of every loss that has it, before the training.

    The counts are those of the training set, whatever the sampler draws.

    Raises:
        ValueError: There is such a loss, but the training set has no ``label_counts()``.
    """

    def before_train(self, runner: Runner) -> None:
        """Count the labels and log the range of the counts."""
        if not losses_with(runner.model, 'set_label_counts'):
            return
        dataset = runner.train_dataloader.dataset
        if not callable(getattr(dataset, 'label_counts', None)):
            raise ValueError(
                'a loss that depends on the label counts needs a training set with '
                f'`label_counts()`, as those of mmmsf have, got {type(dataset).__name__}'
            )
        counts = np.asarray(dataset.label_counts())
        set_label_counts(runner.model, counts.tolist(), len(dataset))
        print_log(
            f'label counts of the loss: {counts.min():,} to {counts.max():,} of {len(dataset):,} '
            f'images a class, median {np.median(counts):,.0f}; {np.sum(counts == 0):,} of '
            f'{len(counts):,} classes without an image',
            logger='current',
        )
