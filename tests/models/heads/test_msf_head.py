import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from mmmsf.models import MSFHead
from mmmsf.models.profiles import HEAD_PROFILES, NECK_PROFILES
from tests.helpers import reference
from tests.helpers.dispatch import count_operators
from tests.helpers.msf_head import AUTHORS, SMALL, make_feats


@pytest.mark.parametrize('profile', [dict(), AUTHORS], ids=['paper', 'authors'])
@pytest.mark.parametrize(
    'ablation',
    [
        dict(),
        dict(num_encoder_layers=0),
        dict(num_decoder_layers=0),
        dict(num_encoder_layers=1, num_decoder_layers=1),
        dict(num_encoder_layers=0, num_decoder_layers=0),
        dict(share_branches=False),
        dict(share_branches=False, num_decoder_layers=0),
        dict(decoder_self_attn='first'),
        dict(decoder_self_attn='rest'),
        dict(decoder_self_attn='all'),
    ],
    ids=lambda ablation: '-'.join(f'{k}={v}' for k, v in ablation.items()) or 'full',
)
def test_equals_the_reference(profile: dict, ablation: dict) -> None:
    torch.manual_seed(1)
    head = MSFHead(**SMALL, **profile, **ablation)
    feats = make_feats()
    torch.testing.assert_close(
        head(feats), reference.head_logits(head, list(feats)), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize('num_scales', [1, 2])
def test_fewer_scales(num_scales: int) -> None:
    torch.manual_seed(1)
    head = MSFHead(**SMALL, num_scales=num_scales)
    feats = make_feats()[:num_scales]
    torch.testing.assert_close(
        head(feats), reference.head_logits(head, list(feats)), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize('profile', [dict(), AUTHORS], ids=['paper', 'authors'])
def test_gradcheck(profile: dict) -> None:
    torch.manual_seed(1)
    head = MSFHead(**SMALL, **profile).double()
    feats = [x.requires_grad_() for x in make_feats(torch.float64, ((2, 2), (1, 2), (1, 1)), 1)]
    assert torch.autograd.gradcheck(lambda *x: head(x), feats)


@pytest.mark.parametrize('profile', [dict(), AUTHORS], ids=['paper', 'authors'])
def test_images_of_a_batch_are_independent(profile: dict) -> None:
    head = MSFHead(**SMALL, **profile).eval()
    feats = make_feats(batch=3)
    alone = torch.cat([head([x[b : b + 1] for x in feats]) for b in range(3)])
    torch.testing.assert_close(head(feats), alone, atol=1e-5, rtol=1e-5)


def test_classes_permute_with_their_parameters() -> None:
    """Without self-attention no class sees another."""
    head, feats, order = MSFHead(**SMALL), make_feats(), torch.tensor([3, 0, 4, 1, 2])
    before = head(feats)
    with torch.no_grad():
        head.label_embed.copy_(head.label_embed[:, order].clone())
        head.fc.weight.copy_(head.fc.weight[order].clone())
        head.fc.bias.copy_(head.fc.bias[order].clone())
    torch.testing.assert_close(head(feats), before[:, order], atol=1e-5, rtol=1e-5)


def test_every_parameter_learns() -> None:
    """DDP stops on a parameter without a gradient."""
    for extra in (
        dict(),
        AUTHORS,
        dict(num_decoder_layers=0),
        dict(num_encoder_layers=0),
        dict(num_groups=3),
        dict(AUTHORS, num_encoder_layers=0, num_decoder_layers=0),
    ):
        head = MSFHead(**SMALL, **extra)
        head(make_feats()).sum().backward()
        assert [n for n, p in head.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize('profile', ['paper', 'authors'])
def test_parameter_count_of_the_paper(profile: str) -> None:
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(type='ResNet', depth=101, out_indices=(2, 3)),
            neck=dict(type='mmmsf.MSFNeck', in_channels=[1024, 2048], profile=profile),
            head=dict(type='mmmsf.MSFHead', num_classes=80, profile=profile),
        )
    )
    count = {
        name: sum(p.numel() for p in part.parameters())
        for name, part in (('backbone', model.backbone), ('neck', model.neck), ('all', model))
    }
    assert count == dict(backbone=42_500_160, neck=11_011_584, all=69_546_128)


@pytest.mark.parametrize('profile', HEAD_PROFILES)
def test_a_profile_is_its_arguments(profile: str) -> None:
    torch.manual_seed(1)
    short, feats = MSFHead(**SMALL, profile=profile).eval(), make_feats()
    torch.manual_seed(1)
    written = MSFHead(**SMALL, **HEAD_PROFILES[profile]).eval()
    torch.testing.assert_close(dict(short.state_dict()), dict(written.state_dict()))
    torch.testing.assert_close(short(feats), written(feats), atol=0, rtol=0)
    assert short.thr == written.thr


def test_the_profiles_are_those_of_the_documentation() -> None:
    """The paper is the default; the others differ from it in these points alone."""
    assert list(NECK_PROFILES) == list(HEAD_PROFILES) == ['paper', 'authors', 'ours']
    paper = HEAD_PROFILES['paper']
    assert HEAD_PROFILES['authors'] == dict(paper, **AUTHORS, thr=0.715)
    assert HEAD_PROFILES['ours'] == dict(
        paper, num_encoder_layers=0, num_decoder_layers=1, dropout=0.1, branch_loss=True
    )
    necks = NECK_PROFILES
    assert necks['authors'] == dict(necks['paper'], stride_padding=0)
    norm, act = dict(type='GN', num_groups=32), dict(type='ReLU')
    assert necks['ours'] == dict(necks['paper'], fuse=False, norm_cfg=norm, act_cfg=act)
    head = MSFHead(**SMALL)
    assert (head.position_mode, head.query_mode, head.thr) == ('input', 'first', 0.5)
    assert (len(head.encoders[0].layers), len(head.decoders[0].layers)) == (2, 3)


def test_explicit_arguments_win_over_the_profile() -> None:
    head = MSFHead(**SMALL, profile='authors', num_encoder_layers=0, query_mode='first', thr=0.3)
    assert (head.position_mode, head.query_mode, head.thr) == ('attention', 'first', 0.3)
    assert len(head.encoders[0].layers) == 0
    assert MSFHead(**SMALL, profile='authors', topk=3).thr is None


def test_operators_of_a_forward_pass() -> None:
    """542 with the folded attention of 0.1.0, 379 with its projected one."""
    head = MSFHead(num_classes=80).eval()
    maps = [torch.randn(1, 512, side, side) for side in (28, 14, 7)]
    with torch.no_grad():
        assert count_operators(lambda: head(maps)) <= 260


def test_z_of_the_paper() -> None:
    head = MSFHead(num_classes=80).eval()
    feats = [torch.zeros(1, 512, s, s) for s in (28, 14, 7)]
    with torch.no_grad():
        assert head.pre_logits(feats).shape == (1, 80, 1536)
        assert head(feats).shape == (1, 80)


def grouped_and_plain_twin(num_groups: int, **kwargs: object) -> tuple[MSFHead, MSFHead]:
    """A head of group queries and the plain head in which the classes of a group ask alike."""
    torch.manual_seed(1)
    grouped, plain = MSFHead(**SMALL, num_groups=num_groups, **kwargs), MSFHead(**SMALL, **kwargs)
    state = grouped.state_dict()
    group_size = -(-SMALL['num_classes'] // num_groups)
    state['label_embed'] = torch.stack(
        [state['label_embed'][:, k // group_size] for k in range(SMALL['num_classes'])], dim=1
    )
    plain.load_state_dict(state)
    return grouped.eval(), plain.eval()


@pytest.mark.parametrize(
    'kwargs', [dict(), AUTHORS, dict(share_branches=False)], ids=['paper', 'authors', 'unshared']
)
@pytest.mark.parametrize(('num_groups', 'num_queries'), [(1, 1), (2, 2), (3, 3), (4, 3)])
def test_a_group_query_serves_its_classes(num_groups: int, num_queries: int, kwargs: dict) -> None:
    """5 classes as 5, 3 + 2, 2 + 2 + 1, and the last again: of 4 groups one would have none."""
    grouped, plain = grouped_and_plain_twin(num_groups, **kwargs)
    feats = make_feats()
    assert grouped.label_embed.shape == (3, num_queries, 8)
    assert grouped.pre_logits(feats).shape == (2, num_queries, 24)
    torch.testing.assert_close(grouped(feats), plain(feats), atol=1e-5, rtol=1e-5)
    for ours, twins in zip(grouped.attention_maps(feats), plain.attention_maps(feats), strict=True):
        torch.testing.assert_close(ours, twins, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize('num_groups', [5, 100])
def test_a_group_for_each_class_is_the_plain_head(num_groups: int) -> None:
    torch.manual_seed(1)
    plain = MSFHead(**SMALL)
    torch.manual_seed(1)
    grouped, feats = MSFHead(**SMALL, num_groups=num_groups), make_feats()
    torch.testing.assert_close(dict(grouped.state_dict()), dict(plain.state_dict()))
    torch.testing.assert_close(grouped(feats), plain(feats), atol=0, rtol=0)


def test_groups_change_the_label_embedding_only() -> None:
    """Hence a checkpoint moves between plain and grouped heads as it does between classes."""
    plain, grouped = (MSFHead(**SMALL, num_groups=n).state_dict() for n in (None, 2))
    assert list(plain) == list(grouped)
    assert [n for n in plain if plain[n].shape != grouped[n].shape] == ['label_embed']


def test_gradcheck_of_groups() -> None:
    torch.manual_seed(1)
    head = MSFHead(**SMALL, num_groups=2).double()
    feats = [x.requires_grad_() for x in make_feats(torch.float64, ((2, 2), (1, 2), (1, 1)), 1)]
    assert torch.autograd.gradcheck(
        lambda *x: torch.func.functional_call(
            head, {'fc.weight': x[0], 'label_embed': x[1]}, (x[2:],)
        ),
        [head.fc.weight, head.label_embed, *feats],
    )


def test_loss_skips_ignored_classes_and_predict_uses_the_threshold() -> None:
    head, feats = MSFHead(**SMALL, thr=0.715), make_feats()
    score = torch.tensor([1.0, 0, -1, 0, 0])
    samples = [DataSample().set_gt_score(score) for _ in range(2)]
    loss = head.loss(feats, samples)['loss']
    logits = head(feats)
    expected = head.loss_module(logits, score.expand(2, -1), avg_factor=2)
    torch.testing.assert_close(loss, expected)
    for sample, row in zip(head.predict(feats, samples), logits.sigmoid(), strict=True):
        torch.testing.assert_close(sample.pred_score, row)
        assert sample.pred_label.tolist() == (row >= 0.715).nonzero().flatten().tolist()


def test_state_of_a_trained_size_survives_saving() -> None:
    head = MSFHead(**SMALL)
    head(make_feats())
    other = MSFHead(**SMALL).eval()
    other.load_state_dict(head.state_dict())
    feats = make_feats(sizes=((6, 6), (3, 3), (2, 2)))
    torch.testing.assert_close(other(feats), head.eval()(feats))


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(num_classes=0), '`num_classes` must be at least 1, got 0'),
        (dict(num_encoder_layers=-1), '`num_encoder_layers` must be at least 0, got -1'),
        (dict(position_mode='both'), "`position_mode` must be one of .* got 'both'"),
        (dict(query_mode='last'), "`query_mode` must be one of .* got 'last'"),
        (dict(decoder_self_attn='yes'), "`self_attn` must be one of .* got 'yes'"),
        (dict(num_groups=0), '`num_groups` must be at least 1, got 0'),
        (
            dict(num_groups=2, num_decoder_layers=0),
            '`num_groups` .* must be None with num_decoder_layers=0, got 2',
        ),
        (dict(num_heads=3), 'embed_dims=8, num_heads=3'),
        (dict(profile='theirs'), "`profile` must be one of .* got 'theirs'"),
    ],
)
def test_wrong_arguments(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MSFHead(**{**SMALL, **kwargs})


def test_wrong_inputs() -> None:
    head = MSFHead(**SMALL)
    with pytest.raises(ValueError, match='num_scales=3, but the neck gave 2 maps'):
        head(make_feats()[:2])
    with pytest.raises(
        ValueError, match=r'\(B, 8, h, w\) \(embed_dims=8\).* but the neck gave shapes'
    ):
        head([x[:, :4] for x in make_feats()])
