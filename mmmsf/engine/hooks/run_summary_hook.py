"""Line of the log that says which data a run uses."""

from collections.abc import Sized
from typing import cast

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmmsf.registry import HOOKS


@HOOKS.register_module()
class RunSummaryHook(Hook):
    """Log the data sets, the number of their images and the number of classes.

    For example ``Data: 3000 images to train (ScaledDigits), 2000 to validate (ScaledDigits), 10
    classes``.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Log the line, of the loops that this run has built."""
        parts: list[str] = []
        num_classes = None
        for task, loop in (
            ('train', runner._train_loop),
            ('validate', runner._val_loop),
            ('test', runner._test_loop),
        ):
            if not isinstance(loop, BaseLoop):  # the config of a loop that does not run
                continue
            dataset = loop.dataloader.dataset
            kind = type(getattr(dataset, 'dataset', dataset)).__name__
            count = len(cast(Sized, dataset))
            parts.append(f'{count} {"" if parts else "images "}to {task} ({kind})')
            classes = getattr(dataset, 'metainfo', {}).get('classes')
            num_classes = num_classes or (classes and len(classes))
        if num_classes:
            parts.append(f'{num_classes} classes')
        runner.logger.info(f'Data: {", ".join(parts)}')
