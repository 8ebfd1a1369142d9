import math

import pytest
import torch

from mmmsf.models import AsymmetricLoss, PolynomialLoss
from mmmsf.registry import MODELS


def loop_loss(
    pred: torch.Tensor, target: torch.Tensor, gamma_pos: float, gamma_neg: float, clip: float
) -> torch.Tensor:
    """The formula of the authors' code, one number at a time, in double precision."""
    out = torch.zeros(pred.shape, dtype=torch.float64)
    for index, x in enumerate(pred.flatten().tolist()):
        y = target.flatten()[index].item()
        p = 1 / (1 + math.exp(-x))
        p_m = max(p - clip, 0)
        if y == 1:
            value = (1 - p) ** gamma_pos * (math.log(p) + (1 - p) - 1.25 * (1 - p) ** 2)
        elif y == 0:
            value = p_m**gamma_neg * math.log(1 - p_m)
        else:
            value = 0.0
        out.view(-1)[index] = -value
    return out


@pytest.mark.parametrize(('gamma_pos', 'gamma_neg', 'clip'), [(0, 4, 0), (0, 0, 0), (1, 2, 0.05)])
def test_equals_the_formula(gamma_pos: float, gamma_neg: float, clip: float) -> None:
    torch.manual_seed(0)
    pred, target = torch.randn(6, 5) * 3, torch.randint(-1, 2, (6, 5)).float()
    loss = PolynomialLoss(gamma_pos=gamma_pos, gamma_neg=gamma_neg, clip=clip, reduction='none')
    torch.testing.assert_close(
        loss(pred, target).double(),
        loop_loss(pred, target, gamma_pos, gamma_neg, clip),
        atol=1e-6,
        rtol=1e-5,
    )


def test_value_by_hand() -> None:
    """With p = 1/2: log 2 - 1/2 + 1.25/4, focused by (1/2)^2."""
    loss = PolynomialLoss(gamma_pos=2.0)(torch.zeros(1, 1), torch.ones(1, 1))
    assert loss.item() == pytest.approx((math.log(2) - 0.5 + 0.3125) / 4)


@pytest.mark.parametrize(('gamma_pos', 'clip'), [(0.0, 0.0), (2.0, 0.05)])
def test_gradient(gamma_pos: float, clip: float) -> None:
    torch.manual_seed(0)
    pred = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[1, 0, -1], [0, 1, 1], [1, 1, 0], [0.3, 0, 1]], dtype=torch.float64)
    loss = PolynomialLoss(gamma_pos=gamma_pos, gamma_neg=4, clip=clip, detach_focus=False)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), pred)


def test_focus_is_a_constant_by_default() -> None:
    pred = torch.tensor([[0.5]], dtype=torch.float64, requires_grad=True)
    target = torch.ones(1, 1, dtype=torch.float64)
    (focused,) = torch.autograd.grad(PolynomialLoss(gamma_pos=2.0)(pred, target), pred)
    (plain,) = torch.autograd.grad(PolynomialLoss()(pred, target), pred)
    weight = (1 - pred.sigmoid()) ** 2
    torch.testing.assert_close(focused, plain * weight.detach())


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_finite_at_the_extremes(dtype: torch.dtype) -> None:
    pred = torch.tensor([[1e4, -1e4, 1e4, -1e4, 3.0]], dtype=dtype, requires_grad=True)
    target = torch.tensor([[0.0, 1.0, 1.0, 0.0, -1.0]])
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = PolynomialLoss(gamma_pos=0.5, reduction='none')(pred, target)
    assert loss.dtype == torch.float32 and loss.isfinite().all() and loss[0, -1] == 0
    (grad,) = torch.autograd.grad(loss.sum(), pred)
    assert grad.isfinite().all() and grad[0, -1] == 0


def test_without_coefficients_it_is_the_asymmetric_loss() -> None:
    torch.manual_seed(0)
    pred, target = torch.randn(5, 4), torch.randint(-1, 2, (5, 4)).float()
    weight = torch.rand(5)
    loss = MODELS.build(
        dict(type='mmmsf.PolynomialLoss', coefficients=(), gamma_pos=1.0, loss_weight=2.0)
    )
    expected = AsymmetricLoss(gamma_pos=1.0, loss_weight=2.0)(pred, target, weight, avg_factor=5)
    torch.testing.assert_close(loss(pred, target, weight, avg_factor=5), expected)
