import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmmsf.models import SPLCLoss
from mmmsf.models.losses import splc_loss


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def loop_element(x: float, y: float, tau: float, margin: float, gamma: float) -> float:
    """The formula for one number, in double precision."""
    if y == -1:
        return 0.0
    p, shifted = sigmoid(x), sigmoid(x - margin)
    positive = -((1 - shifted) ** gamma) * math.log(shifted)
    negative = p**gamma * math.log1p(math.exp(x))
    return y * positive + (1 - y) * (positive if p > tau else negative)


@settings(max_examples=50, deadline=None)
@given(
    st.floats(-20, 20),
    st.sampled_from([-1.0, 0.0, 1.0, 0.3]),
    st.floats(0, 1),
    st.floats(0, 2),
    st.sampled_from([0.0, 0.5, 2.0]),
)
def test_equals_the_formula(x: float, y: float, tau: float, margin: float, gamma: float) -> None:
    pred, target = torch.tensor([[[x]], [[y]]], dtype=torch.float64)
    loss = splc_loss(pred, target, tau, margin, gamma)
    assert loss.item() == pytest.approx(loop_element(x, y, tau, margin, gamma), rel=1e-9)


def test_only_a_sure_unmarked_class_is_corrected_from_the_change_epoch() -> None:
    pred = torch.tensor([[3.0, 0.0, 3.0, 3.0]], requires_grad=True)
    target = torch.tensor([[0.0, 0.0, 1.0, -1.0]])
    loss = SPLCLoss(change_epoch=2, reduction='sum')
    signs = []
    for epoch in range(4):
        loss.set_epoch(epoch)
        (grad,) = torch.autograd.grad(loss(pred, target), pred)
        signs.append(grad.sign().flatten().tolist())
    before, after = [1, 1, -1, 0], [-1, 1, -1, 0]
    assert signs == [before, before, after, after]


def test_the_epoch_must_be_set() -> None:
    with pytest.raises(ValueError, match='`epoch` of SPLCLoss must be set .*LossEpochHook'):
        SPLCLoss()(torch.zeros(1, 1), torch.zeros(1, 1))


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(tau=1.5), '`tau` must be from 0 to 1, got 1.5'),
        (dict(change_epoch=-1), '`change_epoch` must be at least 0, got -1'),
        (dict(margin=-1.0), '`margin` must be at least 0, got -1.0'),
    ],
)
def test_wrong_arguments(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SPLCLoss(**kwargs)
