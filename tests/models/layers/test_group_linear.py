import pytest
import torch
import torch.nn.functional as F

from mmmsf.models.layers import GroupLinear
from mmmsf.models.layers.group_linear import split_classes


def test_each_class_has_its_own_weights() -> None:
    torch.manual_seed(0)
    layer, x = GroupLinear(5, 7), torch.randn(3, 5, 7)
    expected = torch.tensor(
        [[(x[b, k] @ layer.weight[k] + layer.bias[k]).item() for k in range(5)] for b in range(3)]
    )
    torch.testing.assert_close(layer(x), expected)


def test_shared_features_make_it_a_linear_layer() -> None:
    torch.manual_seed(0)
    layer, x = GroupLinear(5, 7), torch.randn(3, 1, 7)
    torch.testing.assert_close(layer(x), F.linear(x[:, 0], layer.weight, layer.bias))


@pytest.mark.parametrize(
    ('num_classes', 'num_groups', 'expected'),
    [
        (12, 4, (3, 4)),
        (7, 3, (3, 3)),
        (7, 7, (1, 7)),
        (7, None, (1, 7)),
        (7, 100, (1, 7)),
        (7, 1, (7, 1)),
        (10, 7, (2, 5)),  # of 7 groups with 2 classes each, 2 would have none
    ],
)
def test_classes_are_split(
    num_classes: int, num_groups: int | None, expected: tuple[int, int]
) -> None:
    assert split_classes(num_classes, num_groups) == expected


@pytest.mark.parametrize('num_groups', [1, 2, 3, 7])
def test_each_class_reads_its_group(num_groups: int) -> None:
    torch.manual_seed(0)
    layer = GroupLinear(7, 6, num_groups)
    x = torch.randn(2, layer.num_groups, 6)
    expected = torch.stack(
        [x[:, k // layer.group_size] @ layer.weight[k] + layer.bias[k] for k in range(7)], dim=1
    )
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)
    assert layer.weight.shape == GroupLinear(7, 6).weight.shape


@pytest.mark.parametrize('wrong', [dict(num_classes=0), dict(num_groups=0), dict(num_groups=-1)])
def test_wrong_arguments(wrong: dict) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f'`{name}` must be at least 1, got {value}'):
        GroupLinear(**{**dict(num_classes=5, in_channels=3, num_groups=2), **wrong})
