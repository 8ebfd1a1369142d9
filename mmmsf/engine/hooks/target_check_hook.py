"""Check of the training targets, with unknown ones kept out of loss and mixing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner
from mmpretrain.structures import DataSample
from torch import nn

from mmmsf.evaluation.rows import sample_name, sample_target
from mmmsf.models.decisions import model_groups
from mmmsf.models.heads.contract import head_num_classes
from mmmsf.models.losses import MaskedLoss, MultiLabelLoss, elementwise_fault
from mmmsf.models.losses.grouped_loss import GroupedLoss
from mmmsf.models.losses.reduction import UNKNOWN, is_target
from mmmsf.models.mixing import MaskedMixing
from mmmsf.models.splice_mix import SpliceMix
from mmmsf.registry import HOOKS
from mmmsf.utils.groups import Group, broken_rows, describe_fault
from mmmsf.utils.unwrap import unwrap_model

_REMEDY = (
    'give it an elementwise form, train with mmmsf.AsymmetricLoss, or make unknown classes '
    "negative in the data set (difficult='negative' of VocMultiLabel)"
)


def mask_head(head: nn.Module, num_classes: int) -> str | None:
    """Make the loss of a head ignore unknown targets.

    Args:
        head: Head, whose ``loss_module`` is wrapped unless it ignores unknown targets already.
        num_classes: Number of classes K.

    Returns:
        None, or the reason why the loss cannot ignore them.

    Raises:
        ValueError: The head is that of a model with exclusive groups, and its loss of the free
            classes cannot ignore them.
    """
    loss = getattr(head, 'loss_module', None)
    if not isinstance(loss, nn.Module):
        return f'{type(head).__name__} has no module `loss_module`'
    if isinstance(loss, GroupedLoss) and isinstance(loss.free, MaskedLoss):
        fault = elementwise_fault(loss.free.loss, num_classes)
        if fault is not None:  # the classes of groups are unknown to this loss
            raise ValueError(
                f'the loss of a model with groups must leave unknown targets out, which '
                f'{type(loss.free.loss).__name__} cannot: {fault}; {_REMEDY}'
            )
    if isinstance(loss, MultiLabelLoss | MaskedLoss):
        return None
    fault = elementwise_fault(loss, num_classes)
    if fault is not None:
        return f'{type(loss).__name__}: {fault}'
    head.loss_module = MaskedLoss(loss)
    return None


def first_unknown(dataset: Any) -> str | None:
    """Name the first image of a data set that has an unknown target, None if none is listed."""
    for i in range(len(dataset) if hasattr(dataset, 'get_data_info') else 0):
        info = dataset.get_data_info(i)
        score = info.get('gt_score')
        if score is not None and (np.asarray(score) == UNKNOWN).any():
            return sample_name(info, i)
    return None


def check_targets(samples: Sequence[DataSample], num_classes: int) -> torch.Tensor:
    """Stack the targets of a batch, and make its samples alike.

    Every sample gets ``gt_score``, and ``gt_label`` stays only if all have it: MMPretrain looks
    for both in the first sample of a batch.

    Returns:
        Targets, 0 to 1 or -1, float32 (B, K).

    Raises:
        ValueError: A target is missing, NaN, outside [0, 1] and not -1, or not one of K; the image
            is named.
    """
    rows = []
    for i, sample in enumerate(samples):
        name = sample_name(sample, i)
        row = sample_target(sample, num_classes, name).float()
        if row.shape != (num_classes,):
            raise ValueError(
                f'gt_score must have shape ({num_classes},), got {tuple(row.shape)} for {name}'
            )
        if 'gt_score' not in sample:
            sample.set_gt_score(row)
        rows.append(row)
    if not all('gt_label' in sample for sample in samples):
        for sample in samples:
            sample.pop('gt_label', None)
    targets = torch.stack(rows)
    wrong = ~is_target(targets)
    if wrong.any():
        i, k = wrong.nonzero()[0].tolist()
        raise ValueError(
            f'gt_score must be from 0 to 1, or {UNKNOWN} for unknown, got {targets[i, k]:g} of '
            f'class {k} for {sample_name(samples[i], i)}'
        )
    return targets


def refuse_union(augment: Any) -> None:
    """Refuse a batch augmentation that unites labels: a grid of images has several colours.

    Raises:
        ValueError: ``mmmsf.SpliceMix`` is among the augmentations.
    """
    augment = augment.augment if isinstance(augment, MaskedMixing) else augment
    if any(isinstance(part, SpliceMix) for part in getattr(augment, 'augments', [augment])):
        raise ValueError(
            'mmmsf.SpliceMix must not be used in a model with `groups`: a grid has the labels of '
            'all its images, several of one group; Mixup, CutMix and ResizeMix mix them by shares'
        )


@HOOKS.register_module()
class TargetCheckHook(Hook):
    """Check the targets of every training batch, and keep unknown ones (-1) unknown.

    Before training, the head's loss is wrapped in :class:`mmmsf.models.losses.MaskedLoss` and the
    data preprocessor's batch augmentations in :class:`mmmsf.models.mixing.MaskedMixing`. A loss
    that cannot be masked is left as it is and trains on data without unknown targets only.
    Samples with only ``gt_label`` get the ``gt_score`` that follows from it, so data sets of both
    kinds can be concatenated and mixed.

    Raises:
        ValueError: Before training, the loss cannot be masked and the training set has unknown
            targets; before a step, a target is NaN, out of range or unknown with such a loss. The
            image and the remedy are named. Of a model with exclusive groups: targets break a rule,
            or the batches are mixed by :class:`mmmsf.models.SpliceMix`.
    """

    priority = 'HIGH'  # before the averaging hook copies the model

    def __init__(self) -> None:
        self._num_classes = 0
        self._fault: str | None = None
        self._groups: tuple[Group, ...] = ()

    def before_run(self, runner: Runner) -> None:
        """Wrap loss and batch augmentations of a training."""
        if not isinstance(runner._train_loop, BaseLoop):
            return
        model = unwrap_model(runner.model)
        self._num_classes = head_num_classes(getattr(model, 'head', None), runner.cfg)
        self._fault = mask_head(model.head, self._num_classes)
        if self._fault is not None:
            image = first_unknown(runner.train_dataloader.dataset)
            if image is not None:
                self._refuse(image)
        augment = getattr(model.data_preprocessor, 'batch_augments', None)
        self._groups = model_groups(model)
        if self._groups:
            refuse_union(augment)
        if augment is not None and not isinstance(augment, MaskedMixing):
            model.data_preprocessor.batch_augments = MaskedMixing(augment)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Check the targets of a batch."""
        samples = data_batch.get('data_samples') if isinstance(data_batch, Mapping) else None
        if not samples or not isinstance(samples[0], DataSample):
            return
        targets = check_targets(samples, self._num_classes)
        self._check_groups(samples, targets.numpy())
        unknown = targets == UNKNOWN
        if self._fault is not None and unknown.any():
            i = int(unknown.any(dim=1).nonzero()[0])
            self._refuse(sample_name(samples[i], i))

    def _check_groups(self, samples: Sequence[DataSample], targets: np.ndarray) -> None:
        for group in self._groups:
            broken = broken_rows(targets, group)
            if broken.any():
                i = int(broken.argmax())
                fault = describe_fault(targets[i], group, range(self._num_classes))
                raise ValueError(f'{sample_name(samples[i], i)} has the classes {fault}')

    def _refuse(self, image: str) -> None:
        raise ValueError(
            f'the targets of {image} are partly unknown ({UNKNOWN}), and the loss must leave them '
            f'out, which it cannot: {self._fault}; {_REMEDY}'
        )
