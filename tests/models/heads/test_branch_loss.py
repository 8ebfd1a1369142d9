"""Predictors of the MSF head: the branches, the pooling, and their losses."""

from typing import Any

import pytest
import torch
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch import Tensor

from mmmsf.models import MSFHead
from tests.helpers import reference
from tests.helpers.msf_head import AUTHORS, SMALL, make_feats

from .test_attention_maps import slow_activation_maps

POOLED = dict(pooling_channels=6, pooling_weight=0.3)


def make_pooled_feats(dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
    torch.manual_seed(5)
    return (*make_feats(dtype), torch.randn(2, 6, 2, 3, dtype=dtype))


def make_samples() -> list[DataSample]:
    rows = torch.tensor([[1.0, 0, -1, 0, 1], [0, -1, 1, 1, 0]])
    return [DataSample().set_gt_score(row) for row in rows]


@pytest.mark.parametrize(
    'kwargs',
    [
        dict(),
        AUTHORS,
        dict(num_groups=2),
        dict(num_decoder_layers=0),
        dict(share_branches=False, num_groups=3),
        dict(num_scales=2),
        dict(num_scales=1),
    ],
    ids=str,
)
def test_a_branch_scores_alone(kwargs: dict) -> None:
    torch.manual_seed(1)
    head = MSFHead(**SMALL, **kwargs).eval()
    feats = list(make_feats()[: head.num_scales])
    scores = head.predictor_scores(feats)
    for score, expected in zip(scores, reference.branch_scores(head, feats), strict=True):
        torch.testing.assert_close(score, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.stack(scores).mean(dim=0), head(feats), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('kwargs', [dict(), dict(num_groups=2), dict(num_decoder_layers=0)])
def test_the_pooling_is_one_more_predictor(kwargs: dict) -> None:
    torch.manual_seed(1)
    head, feats = MSFHead(**SMALL, **POOLED, **kwargs).eval(), make_pooled_feats()
    expected = [
        *reference.branch_scores(head, list(feats[:3])),
        reference.class_pooling(head.pooling, feats[3]),
    ]
    for score, slow in zip(head.predictor_scores(feats), expected, strict=True):
        torch.testing.assert_close(score, slow, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(head(feats), sum(expected) / 4, atol=1e-5, rtol=1e-5)


def test_logits_do_not_depend_on_the_loss() -> None:
    torch.manual_seed(1)
    plain = MSFHead(**SMALL).eval()
    head = MSFHead(**SMALL, branch_loss=True).eval()
    head.load_state_dict(plain.state_dict())
    torch.testing.assert_close(head(make_feats()), plain(make_feats()), atol=0, rtol=0)


@pytest.mark.parametrize('extra', [dict(), POOLED], ids=['branches', 'pooling'])
def test_losses(extra: dict[str, Any]) -> None:
    """Half the loss of the mean score and half the mean of the scores' losses."""
    torch.manual_seed(1)
    head = MSFHead(**SMALL, **extra, branch_loss=True).eval()
    feats = make_pooled_feats() if extra else make_feats()
    losses = head.loss(feats, make_samples())
    names = [f'loss_branch_{i}' for i in range(3)] + ['loss_pooling'] * bool(extra)
    assert list(losses) == ['loss_fused', *names]
    target = torch.stack([sample.gt_score for sample in make_samples()])
    scores = reference.branch_scores(head, list(feats[:3]))
    if extra:
        scores.append(reference.class_pooling(head.pooling, feats[3]))

    def loss(score: Tensor) -> Tensor:
        return head.loss_module(score, target, avg_factor=2)

    torch.testing.assert_close(losses['loss_fused'], loss(sum(scores) / len(scores)) / 2)
    for name, score in zip(names, scores, strict=True):
        torch.testing.assert_close(losses[name], loss(score) / (2 * len(scores)))
    total, log = BaseModel.parse_losses(None, losses)
    torch.testing.assert_close(total, sum(losses.values()))
    assert log.keys() == {'loss', *losses}


def test_every_predictor_skips_unknown_targets() -> None:
    head = MSFHead(**SMALL, **POOLED, branch_loss=True).eval()
    feats, samples = make_pooled_feats(), make_samples()
    before = head.loss(feats, samples)
    with torch.no_grad():  # class 2 is unknown in image 0, class 1 in image 1
        head.fc.bias[1:3] += 3
    for sample in samples:
        sample.gt_score[1:3] = -1
    moved = head.loss(feats, samples)
    with torch.no_grad():
        head.fc.bias[1:3] -= 5
    for name, value in head.loss(feats, samples).items():
        torch.testing.assert_close(value, moved[name])
        assert not torch.equal(value, before[name])


def test_every_parameter_learns() -> None:
    """DDP stops on a parameter without a gradient."""
    for extra in (dict(), dict(num_decoder_layers=0, num_encoder_layers=0), dict(num_groups=2)):
        for branch_loss in (True, False):
            head = MSFHead(**SMALL, **POOLED, **extra, branch_loss=branch_loss)
            sum(head.loss(make_pooled_feats(), make_samples()).values()).backward()
            assert [n for n, p in head.named_parameters() if p.grad is None] == []


def test_gradcheck() -> None:
    torch.manual_seed(1)
    head = MSFHead(**SMALL, **POOLED, branch_loss=True).double()
    sizes = ((2, 2), (1, 2), (1, 1))
    feats = [*make_feats(torch.float64, sizes), torch.randn(2, 6, 1, 2, dtype=torch.float64)]
    assert torch.autograd.gradcheck(
        lambda *x: torch.stack(head.predictor_scores(x)), [x.requires_grad_() for x in feats]
    )


@pytest.mark.parametrize('layer', [-1, 0])
def test_the_pooling_has_an_attention_map(layer: int) -> None:
    torch.manual_seed(1)
    head, plain = (MSFHead(**SMALL, **extra).eval() for extra in (POOLED, {}))
    plain.load_state_dict(head.state_dict(), strict=False)
    feats = make_pooled_feats()
    maps = head.attention_maps(feats, layer)
    for one, other in zip(maps[:3], plain.attention_maps(feats[:3], layer), strict=True):
        torch.testing.assert_close(one, other)
    weight = head.pooling.weight.detach()
    weight = weight / weight.square().sum(dim=1, keepdim=True).sqrt()
    expected = slow_activation_maps(feats[3].numpy(), weight.numpy())
    torch.testing.assert_close(maps[3], torch.from_numpy(expected).float())


def test_wrong_inputs() -> None:
    head = MSFHead(**SMALL, **POOLED)
    with pytest.raises(
        ValueError, match='num_scales=3 and pooling_channels=6, but the neck gave 3'
    ):
        head(make_feats())
    with pytest.raises(ValueError, match=r'channels \[8, 8, 8, 6\], but the neck gave shapes'):
        head((*make_feats(), torch.zeros(2, 5, 2, 3)))
    with pytest.raises(ValueError, match='num_scales=3, but the neck gave 4 maps'):
        MSFHead(**SMALL)(make_pooled_feats())
