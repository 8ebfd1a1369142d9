import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmmsf.models import LargeLoss
from mmmsf.models.losses import large_loss


def loop_loss(pred: Tensor, target: Tensor, fraction: float, mode: str) -> Tensor:
    """Sort the unmarked elements one by one, in double precision."""
    out = torch.zeros(pred.shape, dtype=torch.float64)
    unmarked, known = [], 0
    pairs = zip(pred.flatten().tolist(), target.flatten().tolist(), strict=True)
    for index, (x, y) in enumerate(pairs):
        positive, negative = math.log1p(math.exp(-x)), math.log1p(math.exp(x))
        if y == -1:
            continue
        known += 1
        out.view(-1)[index] = y * positive + (1 - y) * negative
        if y < 1:
            changed = y * positive + (1 - y) * (positive if mode == 'correct' else 0)
            unmarked.append(((1 - y) * negative, index, changed))
    unmarked.sort(key=lambda entry: (-entry[0], entry[1]))
    for _, index, changed in unmarked[: math.ceil(known * fraction - 1e-6)]:
        out.view(-1)[index] = changed
    return out


@pytest.mark.parametrize('soft', [False, True])
@pytest.mark.parametrize('mode', ['reject', 'correct'])
@pytest.mark.parametrize('fraction', [0.0, 0.002, 0.1, 0.5, 1.0, 3.0])
def test_equals_the_loop(fraction: float, mode: str, soft: bool) -> None:
    torch.manual_seed(0)
    for _ in range(3):
        pred, target = torch.randn(7, 5) * 3, torch.randint(-1, 2, (7, 5)).float()
        if soft:
            target[target == 0] = 0.1
        torch.testing.assert_close(
            large_loss(pred, target, fraction, mode).double(),
            loop_loss(pred, target, fraction, mode),
            atol=1e-5,
            rtol=1e-5,
        )


def test_of_equal_losses_exactly_the_number_is_replaced() -> None:
    """An untrained head gives every class the same score."""
    loss = LargeLoss(delta_rel=0.2, reduction='none')
    loss.set_epoch(3)  # 3 * 0.2 is above 0.6
    rejected = loss(torch.zeros(10, 100), torch.zeros(10, 100)) == 0
    assert rejected.flatten().nonzero().flatten().tolist() == [0, 1, 2, 3, 4, 5]


def test_marked_and_unknown_classes_are_never_replaced() -> None:
    pred = torch.tensor([[-9.0, 9.0, 1.0, -2.0]])
    target = torch.tensor([[1.0, -1.0, 0.0, 0.0]])
    loss = large_loss(pred, target, 1.0)
    assert loss[0, 0] > 9
    assert loss[0, 1:].tolist() == [0, 0, 0]


def test_each_epoch_replaces_more() -> None:
    torch.manual_seed(0)
    pred, target = torch.randn(20, 10), torch.zeros(20, 10)
    plain = F.binary_cross_entropy_with_logits(pred, target, reduction='none')
    loss = LargeLoss(mode='reject', delta_rel=2.0, reduction='none')
    for epoch, rejected in ((0, 0), (1, 4), (2, 8), (49, 196), (60, 200)):
        loss.set_epoch(epoch)
        got = loss(pred, target)
        assert (got == 0).sum() == rejected
        assert got.sum() == pytest.approx(plain.flatten().sort().values[: 200 - rejected].sum())


def test_the_gradient_of_a_corrected_class_is_that_of_a_positive() -> None:
    pred = torch.tensor([[4.0, -4.0]], requires_grad=True)
    grads = [
        torch.autograd.grad(large_loss(pred, torch.zeros(1, 2), 0.5, mode).sum(), pred)[0]
        for mode in ('reject', 'correct')
    ]
    expected = torch.sigmoid(pred.detach())
    torch.testing.assert_close(grads[0], expected * torch.tensor([[0.0, 1.0]]))
    torch.testing.assert_close(grads[1], expected - torch.tensor([[1.0, 0.0]]))


def test_wrong_calls() -> None:
    with pytest.raises(ValueError, match="`mode` must be one of .* got 'LL-R'"):
        LargeLoss(mode='LL-R')
    with pytest.raises(ValueError, match='`delta_rel` must be from 0 to 100 percent, got -1'):
        LargeLoss(delta_rel=-1)
    with pytest.raises(ValueError, match='`epoch` of LargeLoss must be set'):
        LargeLoss()(torch.zeros(1, 1), torch.zeros(1, 1))
