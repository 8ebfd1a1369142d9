"""Properties that all losses share which leave unknown targets out themselves."""

from typing import Any

import pytest
import torch
from mmpretrain.structures import DataSample
from torch import nn

from mmmsf.checkpoint import build_model
from mmmsf.engine.hooks.target_check_hook import mask_head
from mmmsf.models.losses import MaskedLoss, MultiLabelLoss, set_epoch
from mmmsf.registry import MODELS
from tests.helpers.small_checkpoint import small_config

CONFIGS: dict[str, dict[str, Any]] = {
    'bce': dict(type='mmmsf.AsymmetricLoss', gamma_neg=0.0),
    'asymmetric': dict(type='mmmsf.AsymmetricLoss', gamma_pos=1.0, detach_focus=False),
    'polynomial': dict(type='mmmsf.PolynomialLoss', detach_focus=False),
    'hill': dict(type='mmmsf.HillLoss'),
    'hill half': dict(type='mmmsf.HillLoss', gamma=0.5),
    'splc': dict(type='mmmsf.SPLCLoss'),
    'splc half': dict(type='mmmsf.SPLCLoss', gamma=0.5),
    'reject': dict(type='mmmsf.LargeLoss', delta_rel=10.0),
    'correct': dict(type='mmmsf.LargeLoss', delta_rel=10.0, mode='correct'),
    'two-way': dict(type='mmmsf.TwoWayLoss'),
}
ELEMENTWISE = [name for name in CONFIGS if name != 'two-way']


def build(name: str, epoch: int = 1, **kwargs: Any) -> nn.Module:
    loss = MODELS.build(dict(CONFIGS[name], **kwargs))
    set_epoch(loss, epoch)
    return loss


@pytest.mark.parametrize('name', CONFIGS)
def test_gradcheck(name: str) -> None:
    torch.manual_seed(0)
    pred = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[1.0, 0, -1], [0, 0, 1], [1, 1, 0], [0.3, 0, 0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: build(name)(x, target), pred)


@pytest.mark.parametrize('name', CONFIGS)
def test_unknown_targets_change_nothing(name: str) -> None:
    torch.manual_seed(0)
    pred, target = torch.randn(3, 4, requires_grad=True), torch.randint(0, 2, (3, 4)).float()
    target[1, 2] = -1
    loss = build(name)(pred, target)
    changed = pred.detach().clone()
    changed[1, 2] = 100
    torch.testing.assert_close(loss, build(name)(changed, target))
    (grad,) = torch.autograd.grad(loss, pred)
    assert (grad == 0).nonzero().tolist().count([1, 2]) == 1


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize('name', CONFIGS)
def test_finite_at_the_extremes(name: str, dtype: torch.dtype) -> None:
    row = [3e4, -3e4, 0.0, 90.0, -90.0, 40.0]
    pred = torch.tensor([row, row[::-1]], dtype=dtype, requires_grad=True)
    for values in ((0.0, 1, 1, 1, 0, -1), (1.0, 0, 0, 0, 1, 1), (0.5, 0, -1, -1, 0.5, 0)):
        target = torch.tensor([values, values])
        with torch.autocast('cpu', dtype=torch.bfloat16):
            loss = build(name)(pred, target)
        (grad,) = torch.autograd.grad(loss, pred)
        assert loss.dtype == torch.float32
        assert loss.isfinite() and loss >= 0
        assert grad.isfinite().all()


@pytest.mark.parametrize('name', ELEMENTWISE)
def test_reductions_weights_and_wrong_targets(name: str) -> None:
    torch.manual_seed(0)
    pred, target = torch.randn(3, 4), torch.randint(-1, 2, (3, 4)).float()
    loss = build(name, loss_weight=2.0)
    each = build(name)(pred, target, reduction_override='none')
    weight = torch.tensor([0.0, 1.0, 3.0])
    torch.testing.assert_close(loss(pred, target, reduction_override='none'), 2 * each)
    torch.testing.assert_close(loss(pred, target), 2 * each.mean())
    torch.testing.assert_close(loss(pred, target, avg_factor=3), 2 * each.sum() / 3)
    torch.testing.assert_close(
        loss(pred, target, weight, reduction_override='sum'), 2 * (each * weight[:, None]).sum()
    )
    target[0, 0], target[2, 3] = 1.5, torch.nan
    wrong = loss(pred, target, reduction_override='none').isnan()
    assert wrong.nonzero().tolist() == [[0, 0], [2, 3]]
    with pytest.raises(ValueError, match=r'same shape, got \(3, 4\) and \(3, 1\)'):
        loss(pred, target[:, :1])
    with pytest.raises(ValueError, match="`reduction` must be one of .* got 'avg'"):
        build(name, reduction='avg')


@pytest.mark.parametrize('name', CONFIGS)
def test_the_target_check_does_not_wrap_it(name: str) -> None:
    head = nn.Module()
    head.loss_module = build(name)
    assert mask_head(head, 5) is None
    assert isinstance(head.loss_module, MultiLabelLoss)


class UserLoss(nn.Module):
    """A user's loss that depends on the epoch."""

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch


def test_the_epoch_reaches_losses_inside_wrappers() -> None:
    inner = UserLoss()
    model = nn.Sequential(nn.Linear(1, 1), MaskedLoss(inner), build('splc', 0))
    assert set_epoch(model, 7) == 2
    assert (inner.epoch, model[2].epoch) == (7, 7)


@pytest.mark.parametrize('name', ['hill', 'splc', 'correct', 'two-way'])
def test_a_config_trains_one_step(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(small_config(loss=CONFIGS[name], branch_loss=True))
    set_epoch(model, 1)
    samples = [DataSample().set_gt_score(row) for row in ([1.0, 0, -1, 0, 1], [0.0, 0, 0, 0, 0])]
    losses = model(torch.randn(2, 3, 32, 32), samples, mode='loss')
    assert len(losses) == 4  # the logits' and three branches'
    sum(losses.values()).backward()
    grad = model.head.fc.weight.grad
    assert grad.isfinite().all() and grad.any()
