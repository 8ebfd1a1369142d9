import math
from typing import Any

import pytest
import torch
from mmpretrain.models.heads import CSRAClsHead, MultiLabelLinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmmsf.models.losses import AsymmetricLoss, MaskedLoss, elementwise_fault
from mmmsf.models.losses.reduction import is_target

LOSSES: dict[str, dict[str, Any]] = {
    'bce': dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True),
    'weighted': dict(
        type='mmpretrain.CrossEntropyLoss',
        use_sigmoid=True,
        class_weight=[1.0, 2.0, 3.0],
        pos_weight=[4.0, 1.0, 0.5],
        loss_weight=2.0,
    ),
    'focal': dict(type='mmpretrain.FocalLoss', gamma=2.0, alpha=0.25),
    'asl': dict(type='mmpretrain.AsymmetricLoss', gamma_neg=4.0, clip=0.0, eps=1e-30),
    'smooth': dict(type='mmpretrain.LabelSmoothLoss', label_smooth_val=0.1, mode='multi_label'),
}


def one_loss(kind: str, x: float, y: float, k: int) -> float:
    """One element by its formula, in double precision."""
    p = 1 / (1 + math.exp(-x))
    if kind == 'smooth':
        y = 0.9 if y > 0 else 0.1
    positive, negative = -y * math.log(p), -(1 - y) * math.log(1 - p)
    if kind == 'weighted':
        return 2.0 * (1.0, 2.0, 3.0)[k] * ((4.0, 1.0, 0.5)[k] * positive + negative)
    if kind == 'focal':
        return (
            (0.25 * y + 0.75 * (1 - y)) * ((1 - p) * y + p * (1 - y)) ** 2 * (positive + negative)
        )
    if kind == 'asl':
        return positive + p**4 * negative
    return positive + negative


def slow_sum(kind: str, pred: Tensor, target: Tensor) -> float:
    return sum(
        one_loss(kind, pred[i, k].item(), target[i, k].item(), k)
        for i in range(len(pred))
        for k in range(pred.shape[1])
        if target[i, k] != -1
    )


def make_batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(6, 3) * 2, torch.randint(-1, 2, (6, 3)).float()


@pytest.mark.parametrize('kind', LOSSES)
def test_equals_a_loop_over_the_known_elements(kind: str) -> None:
    pred, target = make_batch()
    loss = MaskedLoss(LOSSES[kind])(pred, target, avg_factor=6)
    assert loss.item() == pytest.approx(slow_sum(kind, pred, target) / 6, rel=1e-5)


@pytest.mark.parametrize('kind', LOSSES)
def test_equals_the_wrapped_loss_where_all_is_known(kind: str) -> None:
    pred, target = make_batch()
    masked = MaskedLoss(LOSSES[kind])
    for args in (dict(avg_factor=6), {}, dict(reduction_override='sum')):
        torch.testing.assert_close(
            masked(pred, target.abs(), **args), masked.loss(pred, target.abs(), **args)
        )
    weight = torch.rand(6)
    torch.testing.assert_close(
        masked(pred, target.abs(), weight), masked.loss(pred, target.abs(), weight)
    )


@pytest.mark.parametrize('kind', LOSSES)
def test_unknown_elements_have_no_gradient(kind: str) -> None:
    pred, target = make_batch()
    pred[target == -1] = float('inf')  # the loss of such a logit and its slope are not finite
    pred.requires_grad_()
    loss = MaskedLoss(LOSSES[kind])(pred, target)
    (grad,) = torch.autograd.grad(loss, pred)
    assert loss.isfinite() and grad.isfinite().all()
    assert (grad[target == -1] == 0).all() and (grad[target != -1] != 0).all()


@pytest.mark.parametrize('wrapped', [True, False])
@pytest.mark.parametrize('value', [float('nan'), -0.4, -1.5, 1.2, float('inf')])
def test_a_value_that_is_no_target_gives_nan(value: float, wrapped: bool) -> None:
    """NaN used to give a finite loss, with NaN gradients."""
    pred, target = make_batch()
    target[2, 1] = value
    assert not is_target(target)[2, 1]
    loss = MaskedLoss(LOSSES['bce']) if wrapped else AsymmetricLoss()
    assert loss(pred, target).isnan()


def test_soft_targets_are_legal() -> None:
    pred, _ = make_batch()
    target = torch.rand(6, 3)
    target[0] = torch.tensor([0.0, 1.0 + 1e-6, -1e-6])  # rounding of a mixture
    target[1, 1] = -1
    loss = MaskedLoss(LOSSES['bce'])(pred, target, avg_factor=6)
    assert loss.item() == pytest.approx(slow_sum('bce', pred, target) / 6, rel=1e-4)


@pytest.mark.parametrize('head_type', [MultiLabelLinearClsHead, CSRAClsHead])
def test_heads_of_mmpretrain(head_type: type) -> None:
    torch.manual_seed(0)
    more = dict(num_heads=1, lam=0.1) if head_type is CSRAClsHead else {}
    head = head_type(
        num_classes=3, in_channels=4, loss=dict(type='mmmsf.MaskedLoss', loss=LOSSES['bce']), **more
    )
    feats = (torch.randn(6, 4, 2, 2) if more else torch.randn(6, 4),)
    _, target = make_batch()
    samples = [DataSample().set_gt_score(row) for row in target]
    loss = head.loss(feats, samples)['loss']
    assert loss.item() == pytest.approx(slow_sum('bce', head(feats), target) / 6, rel=1e-5)


class LearnedWeight(nn.Module):
    """A loss of a user, with state."""

    reduction = 'sum'

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.register_buffer('scale', torch.tensor(2.0))

    def forward(
        self, pred: Tensor, target: Tensor, avg_factor: Any = None, reduction_override: Any = None
    ) -> Tensor:
        loss = self.scale * self.weight * (pred - target).abs()
        return loss if reduction_override == 'none' else loss.sum()


def test_checkpoints_keep_the_names_of_the_loss() -> None:
    plain, masked = nn.ModuleDict(dict(l=LearnedWeight())), nn.ModuleDict()
    masked['l'] = MaskedLoss(LearnedWeight())
    with torch.no_grad():
        plain['l'].weight.fill_(5.0)
    assert set(masked.state_dict()) == set(plain.state_dict()) == {'l.weight', 'l.scale'}
    masked.load_state_dict(plain.state_dict())
    assert (masked['l'].loss.weight == 5).all()
    plain.load_state_dict(masked.state_dict())


def test_the_reduction_is_that_of_the_loss() -> None:
    pred, target = make_batch()
    expected = 2 * (pred - target).abs()[target != -1].sum()
    torch.testing.assert_close(MaskedLoss(LearnedWeight())(pred, target), expected)


class PerImage(nn.Module):
    def forward(self, pred: Tensor, target: Tensor, **_: Any) -> Tensor:
        return (pred - target).abs().sum(dim=1)


class Coupled(nn.Module):
    def forward(self, pred: Tensor, target: Tensor, **_: Any) -> Tensor:
        return -target * pred.log_softmax(dim=1)


class ScalarOnly(nn.Module):
    def forward(self, pred: Tensor, target: Tensor, avg_factor: float) -> Tensor:
        return (pred - target).abs().sum() / avg_factor


@pytest.mark.parametrize('num_classes', [1, 3])
@pytest.mark.parametrize(
    ('loss', 'reason'),
    [
        (PerImage(), r'must return shape \(2, .\), got \(2,\)'),
        (ScalarOnly(), 'TypeError.*reduction_override'),
    ],
)
def test_faults(loss: nn.Module, reason: str, num_classes: int) -> None:
    fault = elementwise_fault(loss, num_classes)
    assert fault is not None
    with pytest.raises(ValueError, match=reason):
        raise ValueError(fault)


def test_a_loss_over_all_classes_cannot_be_masked() -> None:
    assert 'depends on the logits or targets of other' in (elementwise_fault(Coupled(), 3) or '')


@pytest.mark.parametrize('kind', LOSSES)
def test_the_trial_accepts_elementwise_losses_and_leaves_them_as_they_are(kind: str) -> None:
    loss = MaskedLoss(LOSSES[kind]).loss
    before = dict(vars(loss))
    assert elementwise_fault(loss, 3) is None
    assert vars(loss) == before


def test_a_loss_of_another_shape_is_refused() -> None:
    pred, target = make_batch()
    with pytest.raises(ValueError, match=r'PerImage must return .* \(6, 3\), got \(6,\)'):
        MaskedLoss(PerImage())(pred, target)
