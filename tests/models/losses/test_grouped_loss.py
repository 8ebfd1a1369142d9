"""Loss of exclusive groups with known, unknown, partly known and mixed labels."""

import math
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from mmmsf.models.layers.exclusive import ExclusiveGroups
from mmmsf.models.losses import AsymmetricLoss, MaskedLoss, TwoWayLoss
from mmmsf.models.losses.grouped_loss import GroupedLoss, outcome_loss
from mmmsf.utils.groups import Group

GROUPS = (Group('a', (3, 0, 1), 'one'), Group('b', (5, 2), 'at_most_one'))


def slow_loss(logits: list[float], target: list[int], has_none: bool) -> float | None:
    """Sum the probability of every outcome that contradicts no target; None if there is none."""
    outcomes = [[int(i == k) for i in range(len(target))] for k in range(len(target))]
    weights = [math.exp(x) for x in logits[: len(target)]]
    if has_none:
        outcomes, weights = [*outcomes, [0] * len(target)], [*weights, 1.0]
    allowed = [
        weight
        for outcome, weight in zip(outcomes, weights, strict=True)
        if all(t in (-1, o) for t, o in zip(target, outcome, strict=True))
    ]
    return -math.log(sum(allowed) / sum(weights)) if allowed else None


@pytest.mark.parametrize('has_none', [False, True])
def test_every_mask_of_known_and_unknown_labels(has_none: bool) -> None:
    logits = [1.0, -0.5, 2.0]
    x = torch.tensor([*logits, 0.0] if has_none else logits, dtype=torch.float64)
    for target in product((-1, 0, 1), repeat=3):
        found = outcome_loss(x, torch.tensor(target, dtype=torch.float64)).item()
        expected = slow_loss(logits, list(target), has_none)
        if expected is None:
            assert math.isnan(found), target
        else:
            assert found == pytest.approx(expected, abs=1e-12), target
    assert outcome_loss(x, -torch.ones(3)).item() == 0  # nothing is known


def test_mixed_labels_weight_the_outcomes_by_their_shares() -> None:
    x = torch.tensor([1.0, -0.5, 2.0, 0.0])
    one, two = (-x.log_softmax(0)[i] for i in (0, 1))
    assert_close(outcome_loss(x, torch.tensor([0.7, 0.3, 0.0])), 0.7 * one + 0.3 * two)
    none = -x.log_softmax(0)[3]
    assert_close(outcome_loss(x, torch.tensor([0.7, 0.0, 0.0])), 0.7 * one + 0.3 * none)
    open_ = -x.log_softmax(0)[[1, 3]].logsumexp(0)
    assert_close(outcome_loss(x, torch.tensor([0.7, -1.0, 0.0])), 0.7 * one + 0.3 * open_)


@pytest.mark.parametrize(
    'bad', [[1.0, 1.0, 0.0], [0.7, 0.7, 0.0], [2.0, 0.0, 0.0], [0.5, 0.0, 0.0]]
)
def test_labels_that_no_outcome_explains_stop_the_training(bad: list[float]) -> None:
    assert outcome_loss(torch.zeros(3), torch.tensor(bad)).isnan()


def example() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    pred = torch.randn(4, 7, dtype=torch.float64)
    target = torch.tensor(
        [
            [1, 0, 0, 0, 1, 1, 0],
            [-1, -1, 0, 0, 0, 0, -1],
            [-1, -1, -1, -1, -1, -1, -1],
            [0.0, 0.4, -1, 0.6, 1, 0, 0],
        ],
        dtype=torch.float64,
    )
    return pred, target


def test_gradients_are_those_of_the_values_and_unknown_groups_have_none() -> None:
    pred, target = example()
    loss = GroupedLoss(AsymmetricLoss(gamma_neg=0), ExclusiveGroups(GROUPS, 7))
    assert torch.autograd.gradcheck(lambda x: loss(x, target), pred.requires_grad_())
    loss(pred, target).backward()
    assert pred.grad is not None and pred.grad.isfinite().all()
    assert (pred.grad[2] == 0).all() and (pred.grad[:, :4][[0, 1, 3]] != 0).any()


def test_a_group_counts_as_one_free_class_under_every_reduction() -> None:
    pred, target = example()
    groups, free = ExclusiveGroups(GROUPS, 7), AsymmetricLoss(gamma_neg=0, reduction='none')
    of_free = free(pred[:, [4, 6]], target[:, [4, 6]]).sum()
    a = outcome_loss(pred[:, [3, 0, 1]], target[:, [3, 0, 1]]).sum()
    b = outcome_loss(torch.cat([pred[:, [5, 2]], pred[:, :1] * 0], 1), target[:, [5, 2]]).sum()
    loss = GroupedLoss(AsymmetricLoss(gamma_neg=0), groups)
    assert_close(loss(pred, target, avg_factor=4), (of_free + a + b) / 4)
    assert_close(loss(pred, target), (of_free + a + b) / 28)
    assert_close(loss(pred, target, reduction_override='none').sum(), of_free + a + b)
    half = torch.tensor([0.5, 0.5, 0.5, 0.5], dtype=torch.float64)
    assert_close(loss(pred, target, half, 4), (of_free + a + b) / 8)
    heavy = GroupedLoss(AsymmetricLoss(gamma_neg=0), groups, group_weight=3)
    assert_close(heavy(pred, target, avg_factor=4), (of_free + 3 * a + 3 * b) / 4)


def test_the_free_classes_keep_any_loss_of_the_head() -> None:
    from mmpretrain.models.losses import CrossEntropyLoss

    pred, target = example()
    groups = ExclusiveGroups(GROUPS, 7)
    foreign = GroupedLoss(CrossEntropyLoss(use_sigmoid=True), groups)
    assert isinstance(foreign.free, MaskedLoss)
    ours = GroupedLoss(AsymmetricLoss(gamma_neg=0), groups)
    assert_close(foreign(pred, target, avg_factor=4), ours(pred, target, avg_factor=4))
    weights = [9.0, 9.0, 9.0, 9.0, 2.0, 9.0, 0.5]  # of all K classes, those of groups unused
    weighted = GroupedLoss(AsymmetricLoss(gamma_neg=0, class_weight=weights), groups)
    terms = AsymmetricLoss(gamma_neg=0)(pred, target, reduction_override='none').sum(0)
    change = terms[4] * 1.0 - terms[6] * 0.5
    assert_close(weighted(pred, target, avg_factor=1) - ours(pred, target, avg_factor=1), change)
    two_way = GroupedLoss(TwoWayLoss(), groups)  # compares classes, has no elements
    expected = TwoWayLoss()(pred[:, [4, 6]], target[:, [4, 6]]).double()
    terms = ours.group_terms(pred, target).sum() / 4
    assert_close(two_way(pred, target, avg_factor=4), expected + terms)


def test_weight_of_the_groups_must_be_positive() -> None:
    with pytest.raises(ValueError, match='group_weight.*0'):
        GroupedLoss(AsymmetricLoss(), ExclusiveGroups(GROUPS, 7), 0)
