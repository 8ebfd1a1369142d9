import pytest
import torch
from mmpretrain.structures import DataSample

from mmmsf.models import MLDecoderHead
from tests.helpers import reference

SMALL = dict(num_classes=7, in_channels=6, embed_dims=8, num_heads=2, feedforward_channels=12)


def make_feats(
    dtype: torch.dtype = torch.float32, size: tuple[int, int] = (3, 4), batch: int = 2
) -> tuple[torch.Tensor, ...]:
    """Two maps, of which only the last is to be read."""
    torch.manual_seed(0)
    return (
        torch.full((batch, 4, 6, 8), torch.nan, dtype=dtype),
        torch.randn(batch, 6, *size, dtype=dtype),
    )


def slow_logits(head: MLDecoderHead, x: torch.Tensor) -> torch.Tensor:
    """Image by image, class by class."""
    logits = torch.zeros(len(x), head.num_classes, dtype=x.dtype)
    group_size = head.fc.weight.shape[-1]
    for b, image in enumerate(x):
        C, h, w = image.shape
        tokens = image.reshape(C, h * w).t() @ head.input_proj.weight.t() + head.input_proj.bias
        tokens = tokens.clamp(min=0)
        query = reference.layer_norm(head.norm, 2 * head.query)
        query = reference.decoder_layer(head.layer, query, tokens, None, None)
        for k in range(head.num_classes):
            group, place = k // group_size, k % group_size
            weight = head.fc.weight[group, :, place]
            logits[b, k] = torch.dot(query[group], weight) + head.fc.bias[k]
    return logits


@pytest.mark.parametrize(
    'extra',
    [
        dict(),
        dict(num_groups=7),
        dict(num_groups=3),  # 3 + 3 + 1 classes
        dict(num_groups=1),
        dict(num_groups=100),
        dict(num_groups=2, act_cfg=dict(type='GELU')),
    ],
    ids=str,
)
def test_equals_the_reference(extra: dict) -> None:
    torch.manual_seed(1)
    head = MLDecoderHead(**SMALL, **extra).eval()
    torch.nn.init.normal_(head.fc.bias)
    torch.nn.init.normal_(head.norm.weight)
    feats = make_feats()
    torch.testing.assert_close(head(feats), slow_logits(head, feats[-1]), atol=1e-5, rtol=1e-5)


def test_gradcheck() -> None:
    torch.manual_seed(1)
    head = MLDecoderHead(**SMALL, num_groups=3).double().eval()
    x = make_feats(torch.float64, (2, 2), 1)[-1].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: head([x]), [x])


def test_images_of_a_batch_are_independent() -> None:
    head = MLDecoderHead(**SMALL, num_groups=3).eval()
    x = make_feats(batch=3)[-1]
    alone = torch.cat([head([x[b : b + 1]]) for b in range(3)])
    torch.testing.assert_close(head([x]), alone, atol=1e-5, rtol=1e-5)


def test_classes_permute_with_their_parameters() -> None:
    head, feats = MLDecoderHead(**SMALL).eval(), make_feats()
    order = torch.tensor([3, 0, 6, 4, 1, 5, 2])
    before = head(feats)
    with torch.no_grad():
        for tensor in (head.query, head.fc.weight, head.fc.bias):
            tensor.copy_(tensor[order].clone())
    torch.testing.assert_close(head(feats), before[:, order], atol=1e-5, rtol=1e-5)


def test_every_parameter_learns_and_the_queries_stay() -> None:
    head = MLDecoderHead(**SMALL, num_groups=3)
    before = head.query.clone()
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    score = torch.tensor([1.0, 0, -1, 0, 0, 1, 0])
    head.loss(make_feats(), [DataSample().set_gt_score(score)] * 2)['loss'].backward()
    assert [n for n, p in head.named_parameters() if p.grad is None] == []
    optimizer.step()
    torch.testing.assert_close(head.query, before, atol=0, rtol=0)
    assert 'query' in head.state_dict()


def test_first_residual_drops_another_mask_for_every_image() -> None:
    torch.manual_seed(0)
    head = MLDecoderHead(**SMALL, dropout=0.5)
    seen: list[torch.Tensor] = []
    head.norm.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    head(make_feats())
    factor = seen[0] / head.query  # 1 + 0 where dropped, 1 + 1 / (1 - p) where kept
    torch.testing.assert_close(factor, 1 + 2 * (factor > 2).float())
    assert 0 < (factor > 2).sum() < factor.numel()
    assert not torch.equal(factor[0], factor[1])


@pytest.mark.parametrize(
    ('num_classes', 'num_groups', 'expected'),
    [
        (80, None, 61_520),
        (80, 100, 61_520),
        (80, 40, 61_520),
        (9605, 100, 7_459_205),
    ],
)
def test_parameter_count(num_classes: int, num_groups: int | None, expected: int) -> None:
    """Linear layer, norms, attention, feed-forward part; then the output's."""
    with torch.device('meta'):
        head = MLDecoderHead(num_classes=num_classes, num_groups=num_groups)
    before_output = 1_573_632 + 3 * 1_536 + 2_362_368 + 3_148_544
    assert sum(p.numel() for p in head.parameters()) == before_output + expected


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(num_classes=0), '`num_classes` must be at least 1, got 0'),
        (dict(num_groups=0), '`num_groups` must be at least 1, got 0'),
        (dict(in_channels=0), '`in_channels` must be at least 1, got 0'),
        (dict(num_heads=3), 'embed_dims=8, num_heads=3'),
    ],
)
def test_wrong_arguments(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLDecoderHead(**{**SMALL, **kwargs})


def test_wrong_inputs() -> None:
    with pytest.raises(ValueError, match=r'MLDecoderHead takes a last map of shape \(B, 6, h, w\)'):
        MLDecoderHead(**SMALL)([torch.zeros(2, 8, 3, 3)])
