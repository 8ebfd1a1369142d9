import pytest
import torch
from torch import nn

from mmmsf.models.layers import Decoder, DecoderLayer


def to_torch(layer: DecoderLayer, num_heads: int) -> nn.TransformerDecoderLayer:
    """The same layer, self-attention included, as a ``torch.nn`` module with copied weights."""
    dims, hidden = layer.ffn.linear1.in_features, layer.ffn.linear1.out_features
    twin = nn.TransformerDecoderLayer(dims, num_heads, hidden, dropout=0.0, batch_first=True)
    twin.load_state_dict(
        {
            k.removeprefix('ffn.').replace('cross_attn', 'multihead_attn'): v
            for k, v in layer.state_dict().items()
        }
    )
    return twin


def test_decoder_with_self_attention_equals_torch_layers() -> None:
    torch.manual_seed(0)
    decoder = Decoder(3, 16, 4, 32, self_attn='all')
    query, memory = torch.randn(1, 5, 16), torch.randn(2, 7, 16)
    expected = query.expand(2, -1, -1)
    for layer in decoder.layers:
        expected = to_torch(layer, 4)(expected, memory)
    expected = decoder.norm(expected)
    torch.testing.assert_close(decoder(query, memory, [5], [7]), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('with_pos', [False, True])
def test_fused_keys_and_values_equal_the_layers_own(with_pos: bool) -> None:
    torch.manual_seed(0)
    decoder = Decoder(3, 8, 2, 16)
    memory = torch.randn(2, 6, 8)
    pos = torch.randn(1, 6, 8) if with_pos else None
    for layer in decoder.layers:
        nn.init.normal_(layer.cross_attn.in_proj_bias)  # zero biases would hide their part
    memories = decoder.project_memory(memory, [4, 2], pos)
    for layer, branches in zip(decoder.layers, memories, strict=True):
        _, wk, wv = layer.cross_attn.in_proj_weight.chunk(3)
        _, bk, bv = layer.cross_attn.in_proj_bias.chunk(3)
        key, value = (
            torch.cat(parts, dim=2).transpose(1, 2).flatten(2)
            for parts in zip(*branches, strict=True)
        )
        torch.testing.assert_close(key, (memory if pos is None else memory + pos) @ wk.t() + bk)
        torch.testing.assert_close(value, memory @ wv.t() + bv)


@pytest.mark.parametrize('with_pos', [False, True])
def test_branches_equal_one_by_one(with_pos: bool) -> None:
    torch.manual_seed(0)
    decoder = Decoder(2, 8, 2, 16, self_attn='rest')
    query, memory, pos = torch.randn(1, 5, 8), torch.randn(2, 9, 8), torch.randn(1, 14, 8)
    query_pos, memory_pos = (pos[:, :5], pos[:, 5:]) if with_pos else (None, None)
    queries, keys = [slice(0, 2), slice(2, 5)], [slice(0, 3), slice(3, 9)]
    alone = [
        decoder(
            query[:, q],
            memory[:, k],
            [q.stop - q.start],
            [k.stop - k.start],
            query_pos[:, q] if with_pos else None,
            memory_pos[:, k] if with_pos else None,
        )
        for q, k in zip(queries, keys, strict=True)
    ]
    both = decoder(query, memory, [2, 3], [3, 6], query_pos, memory_pos)
    torch.testing.assert_close(both, torch.cat(alone, dim=1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ('mode', 'expected'),
    [
        ('none', [False] * 3),
        ('first', [True, False, False]),
        ('rest', [False, True, True]),
        ('all', [True] * 3),
    ],
)
def test_self_attention_modes(mode: str, expected: list[bool]) -> None:
    decoder = Decoder(3, 8, 2, 16, self_attn=mode)
    assert [layer.self_attn is not None for layer in decoder.layers] == expected


def test_dropout_masks_differ_between_images() -> None:
    torch.manual_seed(0)
    decoder = Decoder(1, 8, 2, 16, dropout=0.5, self_attn='all')
    memory = torch.randn(1, 6, 8).repeat(2, 1, 1)
    out = decoder(torch.randn(1, 4, 8), memory, [4], [6])
    assert not torch.equal(out[0], out[1])


def test_unknown_mode() -> None:
    with pytest.raises(ValueError, match="`self_attn` must be one of .* got 'some'"):
        Decoder(1, 8, 2, 16, self_attn='some')


def test_parameter_count_of_the_paper() -> None:
    assert sum(p.numel() for p in DecoderLayer(512, 4, 2048).parameters()) == 3_152_384
