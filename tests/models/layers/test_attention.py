import pytest
import torch
from torch import nn

from mmmsf.models.layers import (
    MultiheadAttention,
    branch_attention,
    branch_attention_weights,
    split_branches,
)


def test_self_attention_equals_torch_module() -> None:
    torch.manual_seed(0)
    ours, theirs = MultiheadAttention(16, 4), nn.MultiheadAttention(16, 4, batch_first=True)
    nn.init.normal_(ours.in_proj_bias)
    theirs.load_state_dict(ours.state_dict())
    x, pos = torch.randn(2, 5, 16), torch.randn(1, 5, 16)
    torch.testing.assert_close(ours.self_attention(x, [5]), theirs(x, x, x)[0])
    torch.testing.assert_close(ours.self_attention(x, [5], pos), theirs(x + pos, x + pos, x)[0])


def test_branches_do_not_see_each_other() -> None:
    torch.manual_seed(0)
    attention = MultiheadAttention(8, 2)
    x = torch.randn(2, 7, 8)
    both = attention.self_attention(x, [4, 3])
    torch.testing.assert_close(both[:, :4], attention.self_attention(x[:, :4], [4]))
    torch.testing.assert_close(both[:, 4:], attention.self_attention(x[:, 4:], [3]))


def test_branches_parts_and_heads_lie_side_by_side() -> None:
    B, H, D, P = 2, 3, 4, 2
    x = torch.randn(B, 7, P * H * D)
    for tokens, parts in zip(x.split([5, 2], 1), split_branches(x, [5, 2], H, P), strict=True):
        for p, part in enumerate(parts):
            for h in range(H):
                start = p * H * D + h * D
                assert torch.equal(part[:, h], tokens[..., start : start + D])


def test_projections_are_slices_of_the_fused_weight() -> None:
    attention = MultiheadAttention(8, 2)
    nn.init.normal_(attention.in_proj_bias)
    for name in ('weight', 'bias'):
        index, fused = name == 'bias', getattr(attention, f'in_proj_{name}')
        q, k, v = (getattr(attention, f'{x}_proj')[index] for x in 'qkv')
        assert torch.equal(torch.cat([q, k, v]), fused)
        assert torch.equal(attention.qk_proj[index], torch.cat([q, k]))
        assert torch.equal(attention.kv_proj[index], torch.cat([k, v]))


def test_a_batch_of_one_query_serves_every_image() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(1, 2, 3, 4), torch.randn(4, 2, 6, 4), torch.randn(4, 2, 6, 4)
    out = branch_attention([(query, key, value)])
    torch.testing.assert_close(out, branch_attention([(query.repeat(4, 1, 1, 1), key, value)]))


def test_written_weights_are_those_applied() -> None:
    torch.manual_seed(0)
    branches = [[torch.randn(2, 3, n, 4) for n in (2, tokens, tokens)] for tokens in (5, 7)]
    weights = branch_attention_weights((q, k) for q, k, _ in branches)
    expected = [w @ v for w, (_, _, v) in zip(weights, branches, strict=True)]  # (B, H, Q_i, D)
    out = branch_attention(branches)
    torch.testing.assert_close(out, torch.cat(expected, 2).transpose(1, 2).flatten(2))


@pytest.mark.parametrize(('embed_dims', 'num_heads'), [(10, 4), (0, 1), (8, 0)])
def test_wrong_heads(embed_dims: int, num_heads: int) -> None:
    with pytest.raises(ValueError, match=f'embed_dims={embed_dims}, num_heads={num_heads}'):
        MultiheadAttention(embed_dims, num_heads)
