import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmmsf.models import HillLoss
from mmmsf.models.losses import hill_loss


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def loop_element(x: float, y: float, lamb: float, margin: float, gamma: float) -> float:
    """The formula for one number, in double precision."""
    if y == -1:
        return 0.0
    p, shifted = sigmoid(x), sigmoid(x - margin)
    positive = -((1 - shifted) ** gamma) * math.log(shifted)
    return y * positive + (1 - y) * (lamb - p) * p**2


@settings(max_examples=50, deadline=None)
@given(
    st.floats(-20, 20),
    st.sampled_from([-1.0, 0.0, 1.0, 0.3]),
    st.floats(1, 3),
    st.floats(0, 2),
    st.sampled_from([0.0, 0.5, 2.0]),
)
def test_equals_the_formula(x: float, y: float, lamb: float, margin: float, gamma: float) -> None:
    pred, target = torch.tensor([[[x]], [[y]]], dtype=torch.float64)
    loss = hill_loss(pred, target, lamb, margin, gamma)
    assert loss.item() == pytest.approx(loop_element(x, y, lamb, margin, gamma), rel=1e-9)


def test_values_by_hand() -> None:
    """With p = 1/2: (1.5 - 1/2) / 4; the margin moves logit 1 to p = 1/2."""
    loss = HillLoss(reduction='none')(torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 1.0]]))
    torch.testing.assert_close(loss, torch.tensor([[0.25, math.log(2) / 4]]))


def test_the_slope_of_an_unmarked_class_is_steepest_in_the_middle() -> None:
    """dL/dp = 2 lamb p - 3 p^2 is largest at lamb / 3 = 1/2."""
    p = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
    pred = p.logit().requires_grad_()
    (grad,) = torch.autograd.grad(hill_loss(pred, torch.zeros_like(p)).sum(), pred)
    slope = grad / (p * (1 - p))  # by probability
    assert slope.argmax() == 49
    torch.testing.assert_close(slope, 3 * p - 3 * p**2)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(lamb=0.5), '`lamb` must be at least 1, .* got 0.5'),
        (dict(margin=-1.0), '`margin` must be at least 0, got -1.0'),
        (dict(gamma=math.nan), '`gamma` must be at least 0, got nan'),
    ],
)
def test_wrong_arguments(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HillLoss(**kwargs)
