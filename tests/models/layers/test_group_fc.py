import pytest
import torch

from mmmsf.models.layers import GroupLinear
from mmmsf.models.layers.group_fc import GroupFullyConnected


@pytest.mark.parametrize(
    ('num_classes', 'num_groups', 'groups', 'group_size'),
    [
        (12, 4, 4, 3),
        (7, 3, 3, 3),
        (7, 7, 7, 1),
        (7, 100, 7, 1),
        (7, 1, 1, 7),
        (10, 7, 5, 2),  # of 7 groups with 2 classes each, 2 would have none
    ],
)
def test_each_class_reads_its_group(
    num_classes: int, num_groups: int, groups: int, group_size: int
) -> None:
    torch.manual_seed(0)
    layer = GroupFullyConnected(num_classes, num_groups, 6)
    torch.nn.init.normal_(layer.bias)
    assert (layer.num_groups, layer.group_size) == (groups, group_size)
    x = torch.randn(2, groups, 6)
    expected = torch.zeros(2, num_classes)
    for b in range(2):
        for k in range(num_classes):
            group, place = divmod(k, group_size)
            expected[b, k] = torch.dot(x[b, group], layer.weight[group, :, place]) + layer.bias[k]
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


def test_one_group_a_class_is_group_linear() -> None:
    torch.manual_seed(0)
    layer, twin, x = GroupFullyConnected(5, 5, 6), GroupLinear(5, 6), torch.randn(3, 5, 6)
    with torch.no_grad():
        twin.weight.copy_(layer.weight[..., 0])
        twin.bias.copy_(layer.bias.normal_())
    torch.testing.assert_close(layer(x), twin(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('name', ['num_classes', 'num_groups', 'in_channels'])
def test_wrong_arguments(name: str) -> None:
    with pytest.raises(ValueError, match=f'`{name}` must be at least 1, got 0'):
        GroupFullyConnected(**{**dict(num_classes=5, num_groups=2, in_channels=3), name: 0})
