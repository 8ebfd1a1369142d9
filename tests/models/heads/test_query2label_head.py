import pytest
import torch
from mmpretrain.structures import DataSample

from mmmsf.models import Query2LabelHead
from tests.helpers import reference

SMALL = dict(num_classes=5, in_channels=6, embed_dims=8, num_heads=2, feedforward_channels=12)


def make_feats(
    dtype: torch.dtype = torch.float32,
    size: tuple[int, int] = (3, 4),
    batch: int = 2,
    channels: int = 6,
) -> tuple[torch.Tensor, ...]:
    """Two maps, of which only the last is to be read."""
    torch.manual_seed(0)
    return (
        torch.full((batch, 4, 6, 8), torch.nan, dtype=dtype),
        torch.randn(batch, channels, *size, dtype=dtype),
    )


def slow_logits(head: Query2LabelHead, x: torch.Tensor) -> torch.Tensor:
    """Image by image, class by class."""
    logits = []
    for image in x:
        C, h, w = image.shape
        tokens = image.reshape(C, h * w).t()
        if head.input_proj is not None:
            tokens = tokens @ head.input_proj.weight[..., 0, 0].t() + head.input_proj.bias
        pos = reference.sine_position(h, w, head.embed_dims, 10000.0).to(x.dtype)
        for layer in head.encoder.layers:
            tokens = reference.encoder_layer(layer, tokens, pos)
        query, query_pos = head.label_embed, None
        if head.query_mode == 'attention':
            query, query_pos = torch.zeros_like(query), query
        for layer in head.decoder.layers:
            query = reference.decoder_layer(layer, query, tokens, query_pos, pos)
        query = reference.layer_norm(head.decoder.norm, query)
        logits.append(
            torch.stack(
                [
                    torch.dot(query[k], head.fc.weight[k]) + head.fc.bias[k]
                    for k in range(head.num_classes)
                ]
            )
        )
    return torch.stack(logits)


@pytest.mark.parametrize('query_mode', ['attention', 'first'])
@pytest.mark.parametrize(
    'extra',
    [
        dict(),
        dict(in_channels=8),
        dict(in_channels=8, input_proj=True),
        dict(num_encoder_layers=0, num_decoder_layers=1),
        dict(num_encoder_layers=2, num_decoder_layers=3),
        dict(decoder_self_attn='all'),
        dict(decoder_self_attn='rest', act_cfg=dict(type='GELU')),
    ],
    ids=lambda extra: '-'.join(extra) or 'default',
)
def test_equals_the_reference(extra: dict, query_mode: str) -> None:
    torch.manual_seed(1)
    head = Query2LabelHead(**{**SMALL, **extra}, query_mode=query_mode).eval()
    feats = make_feats(channels=head.in_channels)
    torch.testing.assert_close(head(feats), slow_logits(head, feats[-1]), atol=1e-5, rtol=1e-5)


def test_the_released_queries_are_the_default() -> None:
    torch.manual_seed(1)
    released = Query2LabelHead(**SMALL).eval()
    ours = Query2LabelHead(**SMALL, query_mode='first').eval()
    assert released.query_mode == 'attention'
    ours.load_state_dict(released.state_dict())  # the same parameters, another function
    assert (released(make_feats()) - ours(make_feats())).abs().max() > 0.1


def test_projection_only_where_it_is_needed_or_asked_for() -> None:
    assert Query2LabelHead(**SMALL).input_proj is not None
    same = dict(SMALL, in_channels=8)
    assert Query2LabelHead(**same).input_proj is None
    assert Query2LabelHead(**same, input_proj=True).input_proj is not None


def test_gradcheck() -> None:
    torch.manual_seed(1)
    head = Query2LabelHead(**SMALL).double().eval()
    x = make_feats(torch.float64, (2, 2), 1)[-1].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: head([x]), [x])


def test_images_of_a_batch_are_independent() -> None:
    head = Query2LabelHead(**SMALL).eval()
    x = make_feats(batch=3)[-1]
    alone = torch.cat([head([x[b : b + 1]]) for b in range(3)])
    torch.testing.assert_close(head([x]), alone, atol=1e-5, rtol=1e-5)


def test_classes_permute_with_their_parameters() -> None:
    head, feats = Query2LabelHead(**SMALL).eval(), make_feats()
    order = torch.tensor([3, 0, 4, 1, 2])
    before = head(feats)
    with torch.no_grad():
        for parameter in (head.label_embed, head.fc.weight, head.fc.bias):
            parameter.copy_(parameter[order].clone())
    torch.testing.assert_close(head(feats), before[:, order], atol=1e-5, rtol=1e-5)


def test_every_parameter_learns() -> None:
    for extra in (dict(), dict(decoder_self_attn='all')):
        head = Query2LabelHead(**SMALL, **extra)
        samples = [DataSample().set_gt_score(torch.tensor([1.0, 0, -1, 0, 0])) for _ in range(2)]
        head.loss(make_feats(), samples)['loss'].backward()
        assert [n for n, p in head.named_parameters() if p.grad is None] == []


def count(**kwargs: object) -> int:
    """Parameters of the head for 80 classes and of ResNet-101 below it."""
    with torch.device('meta'):
        head = Query2LabelHead(num_classes=80, **kwargs)
    return 42_500_160 + sum(p.numel() for p in head.parameters())


def test_parameter_count_of_the_paper() -> None:
    """193.6 M without the parts that grow with the classes; 327,760 of those at K = 80."""
    assert count() == 193_906_832
    assert count() - 80 * (2 * 2048 + 1) == 193_579_072
    assert (
        count(decoder_self_attn='all', input_proj=True) == 193_906_832 + 2 * 16_789_504 + 4_196_352
    )


def test_parameter_count_512() -> None:
    assert count(embed_dims=512, feedforward_channels=2048) == 53_089_424


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(num_classes=0), '`num_classes` must be at least 1, got 0'),
        (dict(in_channels=0), '`in_channels` must be at least 1, got 0'),
        (dict(num_encoder_layers=-1), '`num_encoder_layers` must be at least 0, got -1'),
        (dict(num_decoder_layers=0), '`num_decoder_layers` must be at least 1, got 0'),
        (dict(embed_dims=6), '`embed_dims` must be a positive multiple of 4, got 6'),
        (dict(query_mode='last'), "`query_mode` must be one of .* got 'last'"),
        (dict(decoder_self_attn='yes'), "`self_attn` must be one of .* got 'yes'"),
        (dict(num_heads=3), 'embed_dims=8, num_heads=3'),
    ],
)
def test_wrong_arguments(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Query2LabelHead(**{**SMALL, **kwargs})


@pytest.mark.parametrize(
    'feats',
    [
        [],
        [torch.zeros(2, 6)],
        [torch.zeros(2, 6, 3, 3), torch.zeros(2, 8, 3, 3)],
    ],
    ids=['none', 'pooled', 'channels'],
)
def test_wrong_inputs(feats: list[torch.Tensor]) -> None:
    with pytest.raises(ValueError, match=r'Query2LabelHead takes a last map of shape \(B, 6, h, w'):
        Query2LabelHead(**SMALL)(feats)
