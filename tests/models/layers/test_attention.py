import pytest
import torch
from torch import nn

from mmmsf.models.layers import MultiheadAttention, branch_attention


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


def test_a_batch_of_one_query_serves_every_image() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(1, 3, 8), torch.randn(4, 6, 8), torch.randn(4, 6, 8)
    out = branch_attention(query, key, value, [3], [6], num_heads=2, dropout=0.0)
    torch.testing.assert_close(
        out, branch_attention(query.repeat(4, 1, 1), key, value, [3], [6], 2, 0.0)
    )


@pytest.mark.parametrize(('embed_dims', 'num_heads'), [(10, 4), (0, 1), (8, 0)])
def test_wrong_heads(embed_dims: int, num_heads: int) -> None:
    with pytest.raises(ValueError, match=f'embed_dims={embed_dims}, num_heads={num_heads}'):
        MultiheadAttention(embed_dims, num_heads)
