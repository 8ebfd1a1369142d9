import math
import warnings
from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from mmpretrain.models.losses import AsymmetricLoss as MMPretrainASL
from mmpretrain.models.losses import CrossEntropyLoss

from mmmsf.models import AsymmetricLoss
from mmmsf.models.losses import asymmetric_loss


def loop_loss(
    pred: torch.Tensor,
    target: torch.Tensor,
    gamma_pos: float,
    gamma_neg: float,
    clip: float,
    class_weight: Sequence[float] | None = None,
    pos_weight: Sequence[float] | None = None,
) -> torch.Tensor:
    """Eq 12, one number at a time, in double precision."""
    num_classes = pred.shape[-1]
    out = torch.zeros(pred.shape, dtype=torch.float64)
    for index, x in enumerate(pred.flatten().tolist()):
        y = target.flatten()[index].item()
        p = 1 / (1 + math.exp(-x))
        p_m = max(p - clip, 0)
        value = 0.0
        if y >= 0:
            positive = -y * (1 - p) ** gamma_pos * math.log(p)
            negative = -(1 - y) * p_m**gamma_neg * math.log(1 - p_m)
            if pos_weight is not None:
                positive *= pos_weight[index % num_classes]
            value = positive + negative
            if class_weight is not None:
                value *= class_weight[index % num_classes]
        out.view(-1)[index] = value
    return out


@pytest.mark.parametrize('clip', [0.0, 0.05])
@pytest.mark.parametrize(('gamma_pos', 'gamma_neg'), [(0, 4), (1, 4), (0, 0), (0.5, 2.5)])
def test_equals_the_formula(gamma_pos: float, gamma_neg: float, clip: float) -> None:
    torch.manual_seed(0)
    pred, target = torch.randn(6, 5) * 3, torch.randint(-1, 2, (6, 5)).float()
    loss = asymmetric_loss(pred, target, gamma_pos, gamma_neg, clip)
    torch.testing.assert_close(
        loss.double(), loop_loss(pred, target, gamma_pos, gamma_neg, clip), atol=1e-6, rtol=1e-5
    )


@pytest.mark.parametrize('clip', [0.0, 0.05])
def test_equals_mmpretrain(clip: float) -> None:
    torch.manual_seed(0)
    pred, target = torch.randn(8, 5), torch.randint(0, 2, (8, 5)).float()
    theirs = MMPretrainASL(gamma_pos=0.0, gamma_neg=4.0, clip=clip)
    ours = AsymmetricLoss(clip=clip)
    torch.testing.assert_close(ours(pred, target, avg_factor=8), theirs(pred, target, avg_factor=8))


@pytest.mark.parametrize('clip', [0.0, 0.05])
@pytest.mark.parametrize('class_weight', [None, (0.5, 1.0, 0.0)])
@pytest.mark.parametrize('pos_weight', [None, (3.0, 0.0, 1.5)])
def test_weights_equal_the_formula(
    class_weight: tuple | None, pos_weight: tuple | None, clip: float
) -> None:
    torch.manual_seed(0)
    pred, target = torch.randn(7, 3) * 2, torch.rand(7, 3)
    target[:4] = torch.randint(-1, 2, (4, 3))
    loss = AsymmetricLoss(1.0, 3.0, clip, class_weight=class_weight, pos_weight=pos_weight)
    expected = loop_loss(pred, target, 1.0, 3.0, clip, class_weight, pos_weight)
    got = loss(pred, target, reduction_override='none')
    torch.testing.assert_close(got.double(), expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(loss(pred, target, avg_factor=7).double(), expected.sum() / 7)


def test_weights_equal_binary_cross_entropy_of_mmpretrain() -> None:
    torch.manual_seed(0)
    pred, target = torch.randn(7, 3), torch.randint(0, 2, (7, 3)).float()
    weights = dict(class_weight=[0.5, 1.0, 2.0], pos_weight=[3.0, 0.1, 1.5])
    theirs = CrossEntropyLoss(use_sigmoid=True, **weights)
    ours = AsymmetricLoss(gamma_neg=0, **weights)
    torch.testing.assert_close(ours(pred, target, avg_factor=7), theirs(pred, target, avg_factor=7))
    assert ours.state_dict() == {}


def test_configs_of_mmpretrain() -> None:
    torch.manual_seed(0)
    pred, target = torch.randn(8, 5), torch.randint(0, 2, (8, 5)).float()
    cfg = dict(
        gamma_pos=1.0, gamma_neg=2.0, clip=None, reduction='sum', loss_weight=3.0, use_sigmoid=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        ours = AsymmetricLoss(**cfg, detach_focus=False)
    torch.testing.assert_close(ours(pred, target), MMPretrainASL(**cfg)(pred, target))
    with pytest.warns(UserWarning, match='`eps`=1e-08 is ignored'):
        AsymmetricLoss(**cfg, eps=1e-8)


def test_gamma_zero_is_binary_cross_entropy() -> None:
    torch.manual_seed(0)
    pred, target = torch.randn(8, 5), torch.rand(8, 5)
    loss = AsymmetricLoss(gamma_pos=0, gamma_neg=0)(pred, target)
    torch.testing.assert_close(loss, F.binary_cross_entropy_with_logits(pred, target))


@pytest.mark.parametrize('clip', [0.0, 0.05])
@pytest.mark.parametrize('detach', [True, False])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_finite_at_the_extremes(dtype: torch.dtype, detach: bool, clip: float) -> None:
    pred = torch.tensor([[1e4, -1e4, 0.0, 1e4, -1e4, 40.0]], dtype=dtype, requires_grad=True)
    target = torch.tensor([[0.0, 1.0, 1.0, 1.0, 0.0, -1.0]])
    for gamma in (0.0, 0.3, 4.0):
        with torch.autocast('cpu', dtype=torch.bfloat16):
            loss = asymmetric_loss(pred, target, gamma, gamma, clip, detach)
        assert loss.dtype == torch.float32
        assert loss.isfinite().all()
        (grad,) = torch.autograd.grad(loss.sum(), pred)
        assert grad.isfinite().all()
    assert grad[0, -1] == 0


def test_a_confident_mistake_costs_its_logit() -> None:
    """A clamped probability would stop at -log(eps)."""
    loss = asymmetric_loss(torch.tensor([-1e4, 1e4]), torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(loss, torch.tensor([1e4, 1e4]))


@pytest.mark.parametrize('detach', [True, False])
def test_detach_drops_the_slope_of_the_focus(detach: bool) -> None:
    pred = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    loss = asymmetric_loss(pred, torch.zeros(1), gamma_neg=2, detach_focus=detach)
    (grad,) = torch.autograd.grad(loss.sum(), pred)
    p = torch.sigmoid(pred.detach())
    expected = p**2 * p  # focus times the slope of -log(1 - p)
    if not detach:
        expected = expected - torch.log(1 - p) * 2 * p**2 * (1 - p)
    torch.testing.assert_close(grad, expected)


def test_gradcheck() -> None:
    torch.manual_seed(0)
    pred = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[1.0, 0, -1]] * 4)
    assert torch.autograd.gradcheck(
        lambda x: asymmetric_loss(x, target, 1.0, 4.0, 0.05, detach_focus=False), pred
    )


def test_ignored_targets_change_nothing() -> None:
    torch.manual_seed(0)
    pred, target = torch.randn(3, 4, requires_grad=True), torch.randint(0, 2, (3, 4)).float()
    target[1, 2] = -1
    loss = AsymmetricLoss(reduction='sum')(pred, target)
    changed = pred.detach().clone()
    changed[1, 2] = 100
    torch.testing.assert_close(loss, AsymmetricLoss(reduction='sum')(changed, target))
    assert torch.autograd.grad(loss, pred)[0][1, 2] == 0


def test_reductions_weights_and_average_factor() -> None:
    torch.manual_seed(0)
    pred, target = torch.randn(3, 4), torch.randint(0, 2, (3, 4)).float()
    each = asymmetric_loss(pred, target)
    loss = AsymmetricLoss(loss_weight=2.0)
    weight = torch.tensor([0.0, 1.0, 3.0])
    torch.testing.assert_close(loss(pred, target, reduction_override='none'), 2 * each)
    torch.testing.assert_close(loss(pred, target), 2 * each.mean())
    torch.testing.assert_close(loss(pred, target, avg_factor=3), 2 * each.sum() / 3)
    torch.testing.assert_close(
        loss(pred, target, weight, reduction_override='sum'), 2 * (each * weight[:, None]).sum()
    )
    torch.testing.assert_close(loss(pred, target, each), 2 * (each * each).mean())


@settings(max_examples=50, deadline=None)
@given(st.floats(-50, 50), st.floats(0.01, 10), st.sampled_from([0.0, 1.0]))
def test_a_better_logit_never_costs_more(x: float, step: float, y: float) -> None:
    better = x + step if y else x - step
    pair = torch.tensor([x, better], dtype=torch.float64)
    worse_loss, better_loss = asymmetric_loss(pair, torch.full((2,), y), 1.0, 4.0)
    assert better_loss <= worse_loss + 1e-12


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(gamma_pos=-1), 'must not be negative, got -1'),
        (dict(clip=1.0), r'`clip` must be in \[0, 1\), got 1.0'),
        (dict(use_sigmoid=False), '`use_sigmoid` must be True, got False'),
        (
            dict(class_weight=[1.0, -1.0]),
            r'`class_weight` must be .* at least 0, got \[1.0, -1.0\]',
        ),
        (dict(pos_weight=[math.inf]), r'`pos_weight` must be finite .* got \[inf\]'),
        (dict(reduction='avg'), "`reduction` must be one of .* got 'avg'"),
    ],
)
def test_wrong_arguments(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AsymmetricLoss(**kwargs)


def test_wrong_calls() -> None:
    with pytest.raises(ValueError, match=r'same shape, got \(2, 3\) and \(2, 4\)'):
        asymmetric_loss(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match='`pos_weight` must have .* the 3 classes, got 2'):
        AsymmetricLoss(pos_weight=[1.0, 1.0])(torch.zeros(2, 3), torch.zeros(2, 3))
    with pytest.raises(ValueError, match='`avg_factor` cannot be used'):
        AsymmetricLoss(reduction='sum')(torch.zeros(2, 3), torch.zeros(2, 3), avg_factor=2)
