import torch
import torch.nn.functional as F

from mmmsf.models.layers import GroupLinear


def test_each_class_has_its_own_weights() -> None:
    torch.manual_seed(0)
    layer, x = GroupLinear(5, 7), torch.randn(3, 5, 7)
    expected = torch.tensor([[(x[b, k] @ layer.weight[k] + layer.bias[k]).item()
                              for k in range(5)] for b in range(3)])
    torch.testing.assert_close(layer(x), expected)


def test_shared_features_make_it_a_linear_layer() -> None:
    torch.manual_seed(0)
    layer, x = GroupLinear(5, 7), torch.randn(3, 1, 7)
    torch.testing.assert_close(layer(x), F.linear(x[:, 0], layer.weight, layer.bias))
