import torch
from torch import nn

from mmmsf.models.layers import Encoder, EncoderLayer


def to_torch(layer: EncoderLayer, num_heads: int) -> nn.TransformerEncoderLayer:
    """The same layer as a ``torch.nn`` module with copied weights."""
    dims, hidden = layer.ffn.linear1.in_features, layer.ffn.linear1.out_features
    twin = nn.TransformerEncoderLayer(dims, num_heads, hidden, dropout=0.0, batch_first=True)
    twin.load_state_dict({k.removeprefix('ffn.'): v for k, v in layer.state_dict().items()})
    return twin


def test_encoder_equals_torch_layers() -> None:
    torch.manual_seed(0)
    encoder = Encoder(2, 16, 4, 32)
    x = torch.randn(3, 7, 16)
    expected = x
    for layer in encoder.layers:
        expected = to_torch(layer, 4)(expected)
    torch.testing.assert_close(encoder(x, [7]), expected, atol=1e-5, rtol=1e-5)


def test_side_by_side_equals_one_by_one() -> None:
    torch.manual_seed(0)
    encoder = Encoder(2, 16, 4, 32, nn.GELU)
    x, pos = torch.randn(2, 9, 16), torch.randn(1, 9, 16)
    parts = [
        encoder(a, [a.shape[1]], p)
        for a, p in zip(x.split([4, 3, 2], 1), pos.split([4, 3, 2], 1), strict=True)
    ]
    torch.testing.assert_close(encoder(x, [4, 3, 2], pos), torch.cat(parts, 1))


def test_no_layers_is_the_identity() -> None:
    x = torch.randn(2, 4, 8)
    torch.testing.assert_close(Encoder(0, 8, 2, 16)(x, [4]), x)


def test_parameter_count_of_the_paper() -> None:
    assert sum(p.numel() for p in EncoderLayer(512, 4, 2048).parameters()) == 3_152_384
