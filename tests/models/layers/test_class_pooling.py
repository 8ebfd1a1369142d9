import pytest
import torch
from mmpretrain.models.heads import CSRAClsHead

from mmmsf.models.layers import ClassPooling
from tests.helpers import reference


@pytest.mark.parametrize('attention_weight', [0.0, 0.2, 1.5])
def test_equals_the_loop(attention_weight: float) -> None:
    torch.manual_seed(0)
    layer = ClassPooling(3, 5, attention_weight).double()
    x = torch.randn(2, 5, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(layer(x), reference.class_pooling(layer, x))


def test_equals_mmpretrains_csra() -> None:
    torch.manual_seed(0)
    csra, layer = CSRAClsHead(4, 6, num_heads=1, lam=0.3), ClassPooling(4, 6, 0.3)
    layer.weight.data = csra.csra_heads[0].head.weight.data.flatten(1)
    x = torch.randn(2, 6, 3, 5)
    torch.testing.assert_close(layer(x), csra([x]))


def test_the_length_of_a_weight_has_no_effect() -> None:
    layer, x = ClassPooling(3, 5), torch.randn(2, 5, 2, 3)
    before = layer(x)
    layer.weight.data *= torch.tensor([[0.1], [1.0], [30.0]])
    torch.testing.assert_close(layer(x), before)


def test_gradcheck() -> None:
    torch.manual_seed(0)
    layer = ClassPooling(2, 3).double()
    x = torch.randn(1, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, w: torch.func.functional_call(layer, {'weight': w}, (x,)), [x, layer.weight]
    )


def test_large_maps_stay_finite() -> None:
    layer = ClassPooling(3, 5)
    x = (1e4 * torch.randn(2, 5, 4, 4)).requires_grad_()
    layer(x).sum().backward()
    assert layer(x).isfinite().all() and x.grad.isfinite().all()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((3, 0), '`in_channels` must be at least 1, got 0'),
        ((3, 5, -0.1), '`attention_weight` must be at least 0, got -0.1'),
    ],
)
def test_wrong_arguments(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClassPooling(*arguments)
