"""Check that model and datasets agree about the classes."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner
from torch.utils.data import DataLoader

from mmmsf.checkpoint.fit import check_classes, checkpoint_classes
from mmmsf.datasets.class_names import class_difference
from mmmsf.models.decisions import model_groups
from mmmsf.models.heads.contract import head_num_classes
from mmmsf.registry import HOOKS
from mmmsf.utils.groups import describe_groups, parse_groups, same_groups
from mmmsf.utils.unwrap import unwrap_model


@HOOKS.register_module()
class ClassCheckHook(Hook):
    """Compare ``num_classes`` and groups of the model with every dataset, and their class names.

    Raises:
        ValueError: At the start of training, validation or testing. Names the dataset, both numbers
            or the first differing class or both lists of groups, and the remedy; or the head breaks
            the contract in `mmmsf.models.heads.contract`. While a checkpoint is loaded for
            training: it has the classes of the training set in another order.
    """

    def _check(self, runner: Runner, loaders: dict[str, DataLoader]) -> None:
        model = unwrap_model(runner.model)
        head = getattr(model, 'head', None)
        num_classes = head_num_classes(head, runner.cfg)
        names: dict[str, tuple[str, ...]] = {}
        for split, loader in loaders.items():
            classes = getattr(loader.dataset, 'metainfo', {}).get('classes')
            if classes is None:
                continue
            names[split] = tuple(classes)
            if len(classes) != num_classes:
                raise ValueError(
                    f'the head has num_classes={num_classes}, but the {split} dataset '
                    f'{type(loader.dataset).__name__} has {len(classes)} classes; set '
                    f'`model.head.num_classes={len(classes)}`'
                )
            self._check_groups(model, loader.dataset, split)
        if len(set(names.values())) > 1:
            (one, first), (other, second) = list(names.items())[:2]
            raise ValueError(
                f'the {one} and {other} datasets differ in their classes: '
                f'{class_difference(first, second)}'
            )

    @staticmethod
    def _check_groups(model: Any, dataset: Any, split: str) -> None:
        """Compare the exclusive groups, and the class names that the model's groups need."""
        classes, own = tuple(dataset.metainfo['classes']), model_groups(model)
        what = f'the {split} dataset {type(dataset).__name__}'
        found = parse_groups(dataset.metainfo.get('groups'), classes, f'`groups` of {what}')
        if not same_groups(own, found):
            raise ValueError(
                f'the model has the groups {describe_groups(own)}, {what} has '
                f'{describe_groups(found)}; set the same `groups` in `model`, whose type must be '
                'mmmsf.GroupedClassifier, and in every dataset'
            )
        expected = getattr(model, 'classes', None)
        if own and expected is not None and expected != classes:
            raise ValueError(
                f'`classes` of the model and the classes of {what} differ: '
                f'{class_difference(expected, classes)}'
            )

    def before_train(self, runner: Runner) -> None:
        """Check the training and validation sets."""
        loaders: dict[str, Any] = {'training': runner.train_dataloader}
        if runner.val_loop is not None:
            loaders['validation'] = runner.val_dataloader
        self._check(runner, loaders)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Refuse to train on from weights of the same classes in another order."""
        # Only `Runner.train` turns the config of the training loop into a loop.
        if not isinstance(runner._train_loop, BaseLoop):
            return
        names = checkpoint_classes(checkpoint.get('meta') or {})
        classes = getattr(runner.train_dataloader.dataset, 'metainfo', {}).get('classes')
        if names is None or classes is None or set(names) != set(classes):
            return  # other classes are for TransferHook
        check_classes(names, classes, 'the checkpoint', 'the training dataset')

    def before_val(self, runner: Runner) -> None:
        """Check the validation set."""
        self._check(runner, {'validation': runner.val_dataloader})

    def before_test(self, runner: Runner) -> None:
        """Check the test set."""
        self._check(runner, {'test': runner.test_dataloader})
