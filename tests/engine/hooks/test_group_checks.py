"""Checks that model, datasets, targets and batch augmentations agree about groups."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmpretrain.structures import DataSample
from torch import nn

from mmmsf.engine.hooks.class_check_hook import ClassCheckHook
from mmmsf.engine.hooks.target_check_hook import TargetCheckHook, mask_head, refuse_union
from mmmsf.models import AsymmetricLoss, SpliceMix
from mmmsf.models.layers.exclusive import ExclusiveGroups
from mmmsf.models.losses.grouped_loss import GroupedLoss
from mmmsf.models.mixing import MaskedMixing
from mmmsf.utils.groups import Group

CLASSES = ('red', 'green', 'striped')
SPEC = dict(name='colour', classes=['red', 'green'], rule='one')
GROUPS = (Group('colour', (0, 1), 'one'),)


def check(model: dict[str, Any], **metainfo: Any) -> None:
    """Compare a model with a dataset."""
    built = nn.Module()
    built.head = nn.Module()
    built.head.num_classes = 3
    for name, value in model.items():
        setattr(built, name, value)
    dataset = SimpleNamespace(metainfo=dict(classes=CLASSES, **metainfo))
    runner = SimpleNamespace(
        model=built, cfg=None, test_dataloader=SimpleNamespace(dataset=dataset)
    )
    ClassCheckHook().before_test(runner)  # type: ignore[arg-type]


def test_equal_groups_pass_and_others_are_named() -> None:
    check(dict(groups=GROUPS, classes=CLASSES), groups=[SPEC])
    check(dict(groups=GROUPS, classes=None), groups=[{**SPEC, 'classes': ['green', 'red']}])
    check({})
    for model, meta in (
        (dict(groups=GROUPS), {}),
        ({}, dict(groups=[SPEC])),
        (dict(groups=GROUPS), dict(groups=[{**SPEC, 'rule': 'at_most_one'}])),
    ):
        with pytest.raises(ValueError, match='test dataset') as error:
            check(model, **meta)
        assert 'colour' in str(error.value) and 'GroupedClassifier' in str(error.value)


def test_names_in_another_order_than_the_datasets_are_refused() -> None:
    with pytest.raises(ValueError, match="classes.*test dataset.*'green'"):
        check(dict(groups=GROUPS, classes=('green', 'red', 'striped')), groups=[SPEC])


def hook_with(groups: tuple[Group, ...]) -> TargetCheckHook:
    hook = TargetCheckHook()
    hook._num_classes, hook._groups = 3, groups
    return hook


def batch(*rows: list[float]) -> dict[str, Any]:
    samples = [DataSample().set_gt_score(torch.tensor(row)) for row in rows]
    samples[-1].set_field('b.jpg', 'img_path', field_type='metainfo')
    return dict(data_samples=samples)


def test_targets_of_a_batch_keep_the_rules() -> None:
    hook = hook_with(GROUPS)
    good = batch([1, 0, 0], [-1, 0, 1], [0.7, 0.3, 0])
    hook.before_train_iter(None, 0, good)  # type: ignore[arg-type]
    bad = batch([1, 0, 0], [1, 1, 0])
    with pytest.raises(ValueError, match=r"b\.jpg.*\[0, 1\].*'colour'"):
        hook.before_train_iter(None, 0, bad)  # type: ignore[arg-type]
    hook_with(()).before_train_iter(None, 0, bad)  # type: ignore[arg-type]


def test_unions_of_labels_are_refused_and_shares_are_not() -> None:
    with pytest.raises(ValueError, match='SpliceMix'):
        refuse_union(SimpleNamespace(augments=[None, SpliceMix()]))
    with pytest.raises(ValueError, match='SpliceMix'):
        refuse_union(MaskedMixing(SpliceMix()))
    refuse_union(SimpleNamespace(augments=[lambda x, y: (x, y)]))
    refuse_union(None)


class Normalised(nn.Module):
    """A loss of others whose elements depend on each other."""

    reduction = 'mean'

    def forward(self, pred: Any, target: Any, **kwargs: Any) -> Any:
        return pred.log_softmax(1) * target


def test_a_loss_that_cannot_leave_the_groups_out_is_refused() -> None:
    head = nn.Module()
    head.loss_module = GroupedLoss(Normalised(), ExclusiveGroups(GROUPS, 3))
    with pytest.raises(ValueError, match='Normalised.*depends on'):
        mask_head(head, 3)
    head.loss_module = GroupedLoss(AsymmetricLoss(), ExclusiveGroups(GROUPS, 3))
    assert mask_head(head, 3) is None
