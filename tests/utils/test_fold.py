import copy

import pytest
import torch
from torch import Tensor, nn

from mmmsf.utils.fold import fold_batch_norms


class Block(nn.Module):
    """A block whose order of execution is chosen; the order of registration is conv, norm, act."""

    def __init__(self, order: str, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.norm = norm or nn.BatchNorm2d(4)
        self.act = nn.ReLU(inplace=True)
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        for step in self.order.split():
            x = getattr(self, step)(x)
        return x


@pytest.fixture
def images() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 4, 6, 6)


def settled(model: nn.Module) -> nn.Module:
    """Give every batch norm statistics and weights that are not those of the identity."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -1, 1)
    return model.eval()


def check(model: nn.Module, images: Tensor, count: int) -> nn.Module:
    """Fold a copy; compare its outputs and the number of norms."""
    folded = copy.deepcopy(settled(model))
    assert fold_batch_norms(folded, lambda: folded(images.clone())) == count
    torch.testing.assert_close(folded(images.clone()), model(images.clone()), rtol=0, atol=1e-5)
    left = sum(isinstance(x, nn.modules.batchnorm._BatchNorm) for x in folded.modules())
    total = sum(isinstance(x, nn.modules.batchnorm._BatchNorm) for x in model.modules())
    assert left == total - count
    return folded


@pytest.mark.parametrize(
    ('order', 'count'),
    [('conv norm act', 1), ('norm act conv', 0), ('norm conv act', 0), ('conv act norm', 0)],
)
def test_the_order_of_execution_decides(images: Tensor, order: str, count: int) -> None:
    check(Block(order), images, count)


def test_a_convolution_that_runs_twice_is_kept(images: Tensor) -> None:
    check(Block('conv norm conv'), images, 0)


def test_nested_and_shared_modules(images: Tensor) -> None:
    shared = Block('conv norm act')
    model = nn.Sequential(Block('conv norm'), nn.Sequential(shared), nn.Conv2d(4, 4, 1))
    model.alias = shared.conv  # a second name, which must not keep the old weights
    settled(model)
    folded = copy.deepcopy(model)
    count = fold_batch_norms(folded, lambda: nn.Sequential.__call__(folded[:3], images))
    assert count == 2 and folded.alias is folded[1][0].conv
    torch.testing.assert_close(folded[:3](images), model[:3](images), rtol=0, atol=1e-5)


def test_a_norm_with_an_activation_keeps_it(images: Tensor) -> None:
    layers = pytest.importorskip('timm.layers')
    model = Block('conv norm', layers.BatchNormAct2d(4))
    folded = check(model, images, 1)
    assert (folded(images) >= 0).all() and not isinstance(folded.norm, nn.Identity)


def test_no_hook_is_left(images: Tensor) -> None:
    model = settled(Block('conv norm act'))
    with pytest.raises(RuntimeError):
        fold_batch_norms(model, lambda: model(torch.zeros(1, 3, 6, 6)))
    assert not model.conv._forward_hooks and not model.norm._forward_pre_hooks
