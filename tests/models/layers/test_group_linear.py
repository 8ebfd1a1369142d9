import pytest
import torch
import torch.nn.functional as F

from mmmsf.models.layers import GroupFullyConnected, GroupLinear, split_classes


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
def test_parts_score_alone_and_their_mean_is_the_layer(num_groups: int) -> None:
    torch.manual_seed(0)
    layer = GroupLinear(7, 6, num_groups)
    x = torch.randn(2, layer.num_groups, 6)
    scores = layer.part_scores(x, 3)
    for i, score in enumerate(scores):
        alone = x.clone()
        alone[..., : 2 * i] = alone[..., 2 * i + 2 :] = 0
        torch.testing.assert_close(score, 3 * (layer(alone) - layer.bias) + layer.bias)
    torch.testing.assert_close(torch.stack(scores).mean(dim=0), layer(x))


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
def test_fully_connected_reads_its_group(
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
def test_wrong_arguments_of_fully_connected(name: str) -> None:
    with pytest.raises(ValueError, match=f'`{name}` must be at least 1, got 0'):
        GroupFullyConnected(**{**dict(num_classes=5, num_groups=2, in_channels=3), name: 0})
