import math

import pytest
import torch
from torch import Tensor

from mmmsf.models import TwoWayLoss


def loop_loss(
    pred: Tensor, target: Tensor, temp_pos: float, temp_neg: float
) -> tuple[list[float], list[float]]:
    """Terms of the images and of the classes that have a positive, one number at a time."""
    parts = []
    for logits, targets in ((pred, target), (pred.T, target.T)):
        terms = []
        for row, labels in zip(logits.tolist(), targets.tolist(), strict=True):
            pairs = [(x, y) for x, y in zip(row, labels, strict=True) if y != -1]
            positive = sum(y * math.exp(-x / temp_pos) for x, y in pairs)
            negative = sum((1 - y) * math.exp(x / temp_neg) for x, y in pairs)
            if positive:
                terms.append(math.log1p(positive**temp_pos * negative**temp_neg))
        parts.append(terms)
    return parts[0], parts[1]


@pytest.mark.parametrize('soft', [False, True])
@pytest.mark.parametrize(('temp_pos', 'temp_neg'), [(4.0, 1.0), (1.0, 1.0), (0.5, 2.0)])
def test_equals_the_loop(temp_pos: float, temp_neg: float, soft: bool) -> None:
    torch.manual_seed(0)
    for _ in range(5):
        pred, target = torch.randn(4, 6) * 2, torch.randint(-1, 2, (4, 6)).float()
        if soft:
            target[target > 0] = torch.rand(int((target > 0).sum()))
        loss = TwoWayLoss(temp_pos, temp_neg)
        images, classes = loop_loss(pred, target, temp_pos, temp_neg)
        mean = sum(images) / len(images) + sum(classes) / len(classes)
        assert loss(pred, target).item() == pytest.approx(mean, rel=1e-5)
        assert loss(pred, target, avg_factor=4).item() == pytest.approx(mean, rel=1e-5)
        total = sum(images) + sum(classes)
        got = loss(pred, target, reduction_override='sum').item()
        assert got == pytest.approx(total, rel=1e-5)


def test_value_by_hand() -> None:
    """One image with logits 1 and 0: softplus(0 - 1); a class alone has no negative."""
    loss = TwoWayLoss(1.0, 1.0, loss_weight=2.0)(torch.tensor([[1.0, 0.0]]), torch.eye(2)[:1])
    assert loss.item() == pytest.approx(2 * math.log1p(math.exp(-1)))


@pytest.mark.parametrize(
    'target',
    [[[0, 0], [0, 0]], [[1, 1], [1, 1]], [[-1, -1], [-1, -1]], [[1, -1], [-1, 1]]],
    ids=['no positive', 'no negative', 'unknown', 'one known each'],
)
def test_nothing_to_compare_costs_nothing(target: list[list[float]]) -> None:
    pred = torch.randn(2, 2, requires_grad=True)
    loss = TwoWayLoss()(pred, torch.tensor(target).float())
    (grad,) = torch.autograd.grad(loss, pred)
    assert loss == 0
    assert not grad.any()


def test_a_wrong_target_is_not_a_number() -> None:
    for value in (1.5, math.nan, -0.5):
        target = torch.tensor([[1.0, 0.0], [0.0, value]])
        assert TwoWayLoss()(torch.zeros(2, 2), target).isnan()
    mixed = torch.tensor([[1.00001, 0.0], [0.0, 1.0]])  # mixing rounds
    assert TwoWayLoss()(torch.zeros(2, 2), mixed).isfinite()


def test_wrong_calls() -> None:
    for name in ('temp_pos', 'temp_neg'):
        with pytest.raises(ValueError, match=f'`{name}` must be positive, got 0'):
            TwoWayLoss(**{name: 0})
    with pytest.raises(ValueError, match="must be 'mean' or 'sum', got 'none'"):
        TwoWayLoss(reduction='none')
    pred = torch.zeros(2, 2)
    with pytest.raises(ValueError, match="must be 'mean' or 'sum', got 'none'"):
        TwoWayLoss()(pred, pred, reduction_override='none')
    with pytest.raises(ValueError, match='`weight` of TwoWayLoss must be None'):
        TwoWayLoss()(pred, pred, torch.ones(2))
    with pytest.raises(ValueError, match='`avg_factor` cannot be used'):
        TwoWayLoss(reduction='sum')(pred, pred, avg_factor=2)
