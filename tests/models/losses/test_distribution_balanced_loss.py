import math

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from torch import nn

from mmmsf.models import DistributionBalancedLoss
from mmmsf.models.losses import AsymmetricLoss, TwoWayLoss, rebalanced_weight, set_label_counts
from mmmsf.registry import MODELS

COUNTS, IMAGES = [90, 10, 1, 0], 100
BCE = dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=0.0)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def loop_loss(pred: list[float], target: list[float]) -> list[float]:
    """The loss of one image with binary cross-entropy, in double precision, as in the source."""
    alpha, beta, mu, kappa, neg_scale = 0.1, 10.0, 0.2, 0.05, 2.0
    counts = [max(n, 1) for n in COUNTS]
    total = sum(1 / n for n, y in zip(counts, target, strict=True) if y == 1)
    losses = []
    for x, y, n in zip(pred, target, counts, strict=True):
        share = (1 / n) / total if total else math.inf
        weight = alpha + (1.0 if share == math.inf else sigmoid(beta * (share - mu)))
        x = x - math.log(IMAGES / n - 1) * kappa / neg_scale
        if y == -1:
            losses.append(0.0)
        elif y == 1:
            losses.append(-weight * math.log(sigmoid(x)))
        else:
            losses.append(-weight / neg_scale * math.log(1 - sigmoid(neg_scale * x)))
    return losses


def make(**kwargs: object) -> DistributionBalancedLoss:
    loss = DistributionBalancedLoss(**kwargs)
    loss.set_label_counts(COUNTS, IMAGES)
    return loss


TARGETS = [[1, 0, 0, 0], [1, 1, 0, -1], [0, 0, 1, 1], [0, 0, 0, 0], [-1, -1, 0, 1]]


@pytest.mark.parametrize('target', TARGETS)
def test_equals_the_loop(target: list[float]) -> None:
    pred = [1.5, -0.3, 2.0, -4.0]
    loss = make(loss=BCE, reduction='none')(
        torch.tensor([pred], dtype=torch.float64), torch.tensor([target], dtype=torch.float64)
    )
    expected = torch.tensor([loop_loss(pred, target)], dtype=torch.float64)
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-7)


def test_weights_by_hand() -> None:
    """An image of classes with 1 and 3 images: its draws are shared 3 to 1."""
    target, counts = torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([1.0, 3.0, 4.0])
    weight = rebalanced_weight(target, counts, 0.0, 1.0, 0.0)
    torch.testing.assert_close(weight.logit(), torch.tensor([[0.75, 0.25, 0.1875]]))


def test_without_weights_and_shift_it_is_the_inner_loss() -> None:
    torch.manual_seed(0)
    pred, target = torch.randn(5, 4), torch.randint(-1, 2, (5, 4)).float()
    loss = make(loss=dict(type='mmmsf.AsymmetricLoss'), alpha=0.5, beta=0, kappa=0, neg_scale=1)
    torch.testing.assert_close(loss(pred, target), AsymmetricLoss()(pred, target))


def test_default_is_the_focal_loss_and_has_gradients() -> None:
    assert (make().loss.gamma_pos, make().loss.gamma_neg) == (2, 2)
    pred = torch.zeros(2, 4, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[1, 0, -1, 0], [0, 0, 0.5, 1]], dtype=torch.float64)
    loss = make(loss=dict(type='mmmsf.AsymmetricLoss', detach_focus=False))
    assert torch.autograd.gradcheck(lambda x: loss(x, target), pred)


def test_label_counts_reach_a_loss_inside_a_model() -> None:
    model = nn.ModuleDict(dict(head=nn.ModuleDict(dict(loss_module=DistributionBalancedLoss()))))
    assert set_label_counts(model, COUNTS, IMAGES) == 1
    assert model['head']['loss_module'].counts.tolist() == [90, 10, 1, 1]
    assert not model.state_dict(), 'the counts are not part of a checkpoint'


def test_losses_of_every_count_are_finite() -> None:
    loss = DistributionBalancedLoss()
    loss.set_label_counts([0, 1, 7, 7], 7)
    assert loss(torch.randn(3, 4), torch.eye(3, 4)).isfinite()


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(alpha=-1.0), '`alpha` must be at least 0, got -1.0'),
        (dict(kappa=math.nan), '`kappa` must be at least 0, got nan'),
        (dict(neg_scale=0.5), '`neg_scale` must be at least 1, got 0.5'),
        (dict(loss=TwoWayLoss()), 'a value for each element, got TwoWayLoss'),
        (dict(loss=AsymmetricLoss(loss_weight=5.0)), 'leave `loss_weight` to .* got loss_weight=5'),
        (dict(loss=AsymmetricLoss(reduction='sum')), "leave `reduction` to .* reduction='sum'"),
    ],
)
def test_wrong_arguments(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DistributionBalancedLoss(**kwargs)


def test_an_average_made_before_the_counts_keeps_its_own_buffers() -> None:
    """MMEngine's averages pair the buffers of two models by their order."""
    model = nn.ModuleDict(dict(loss=DistributionBalancedLoss(), norm=nn.BatchNorm1d(2)))
    average = ExponentialMovingAverage(model, momentum=0.1)
    model['loss'].set_label_counts(COUNTS, IMAGES)
    model['norm'].running_mean.fill_(5.0)
    average.update_parameters(model)
    assert [x.shape for x in average.module.buffers()] == [x.shape for x in model.buffers()]
    assert average.module['norm'].running_mean.tolist() == [5.0, 5.0]


def test_weights_without_steepness_are_finite() -> None:
    target = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    weight = rebalanced_weight(target, torch.tensor([2.0, 3.0]), 0.1, 0.0, 0.2)
    torch.testing.assert_close(weight, torch.full((2, 2), 0.6))


def test_counts_must_be_set_and_fit() -> None:
    pred, target = torch.zeros(1, 4), torch.zeros(1, 4)
    with pytest.raises(ValueError, match='must be set before .*LabelCountHook'):
        DistributionBalancedLoss()(pred, target)
    loss = MODELS.build(dict(type='mmmsf.DistributionBalancedLoss'))
    loss.set_label_counts([1, 2], 5)
    with pytest.raises(ValueError, match='`counts` must have one entry for each of the 4 classes'):
        loss(pred, target)
