from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mmmsf.models.layers import Decoder, DecoderLayer
from mmmsf.models.layers import decoder as decoder_module
from mmmsf.models.layers.attention import folding_pays


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
    for layer, (key, value) in zip(
        decoder.layers, decoder.project_memory(memory, pos), strict=True
    ):
        _, wk, wv = layer.cross_attn.in_proj_weight.chunk(3)
        _, bk, bv = layer.cross_attn.in_proj_bias.chunk(3)
        torch.testing.assert_close(key, (memory if pos is None else memory + pos) @ wk.t() + bk)
        torch.testing.assert_close(value, memory @ wv.t() + bv)


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


def run_both_ways(monkeypatch: pytest.MonkeyPatch, make: Callable[[], Tensor]) -> list[Tensor]:
    """What ``make`` gives with all branches folded, with the large one, and with none."""
    found = []
    for rule in (lambda q, n, c, h: True, lambda q, n, c, h: n > 8, lambda q, n, c, h: False):
        monkeypatch.setattr(decoder_module, 'folding_pays', rule)
        found.append(make())
    return found


@pytest.mark.parametrize('with_pos', [False, True])
@pytest.mark.parametrize('self_attn', ['none', 'all'])
def test_folded_attention_equals_the_projected(
    monkeypatch: pytest.MonkeyPatch, with_pos: bool, self_attn: str
) -> None:
    torch.manual_seed(0)
    decoder = Decoder(3, 16, 4, 32, self_attn=self_attn).double()
    for layer in decoder.layers:
        torch.nn.init.normal_(layer.cross_attn.in_proj_bias)  # zero biases would hide their part
    query = torch.randn(1, 8, 16, dtype=torch.double, requires_grad=True)
    memory = torch.randn(2, 15, 16, dtype=torch.double, requires_grad=True)
    pos = torch.randn(1, 23, 16, dtype=torch.double)
    query_pos, memory_pos = (pos[:, :8], pos[:, 8:]) if with_pos else (None, None)
    leaves = [query, memory, *decoder.parameters()]

    def outputs() -> Tensor:
        return decoder(query, memory, [3, 5], [11, 4], query_pos, memory_pos)

    def gradients() -> Tensor:
        return torch.cat(
            [g.flatten() for g in torch.autograd.grad(outputs().square().sum(), leaves)]
        )

    for make in (outputs, gradients):
        for folded in run_both_ways(monkeypatch, make)[:2]:
            torch.testing.assert_close(folded, make(), rtol=1e-9, atol=1e-9)


def test_attention_dropout_is_never_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value bias comes through whole only where the weights sum to one."""
    decoder = Decoder(1, 8, 2, 16, dropout=0.5)
    memory = torch.randn(2, 6, 8)
    asked = []
    monkeypatch.setattr(decoder_module, 'folding_pays', lambda *sizes: asked.append(sizes) or True)
    decoder(torch.randn(1, 4, 8), memory, [4], [6])
    assert not asked
    decoder.eval()(torch.randn(1, 4, 8), memory, [4], [6])
    assert asked == [(4, 6, 8, 2)]


def test_folded_half_precision_is_as_near_as_projected(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    decoder = Decoder(2, 64, 4, 64).eval()
    query, memory = torch.randn(1, 8, 64), torch.randn(2, 200, 64)
    with torch.no_grad():
        exact = decoder(query, memory, [8], [200])
        with torch.autocast('cpu', torch.bfloat16):
            folded, _, projected = run_both_ways(
                monkeypatch, lambda: decoder(query, memory, [8], [200]).float()
            )
    errors = [(one - exact).abs().mean() for one in (folded, projected)]
    assert errors[0] < 1.2 * errors[1] < 0.05


@pytest.mark.parametrize(
    ('queries', 'tokens', 'folds'),
    [(80, 784, True), (80, 196, True), (80, 49, False), (9600, 784, False), (20, 49, True)],
)
def test_what_is_folded(queries: int, tokens: int, folds: bool) -> None:
    """Counts multiplications of both ways, C = 512, H = 4."""
    C, H = 512, 4
    projected = 2 * tokens * C * C + 2 * queries * tokens * C
    folded = 2 * queries * C * C + 2 * H * queries * tokens * C
    assert folding_pays(queries, tokens, C, H) == folds == (folded < projected)
