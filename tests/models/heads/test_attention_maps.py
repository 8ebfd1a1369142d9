from typing import Any

import numpy as np
import pytest
import torch
from mmpretrain.models import ImageClassifier
from mmpretrain.models.heads import CSRAClsHead, MultiLabelLinearClsHead
from mmpretrain.models.necks import GlobalAveragePooling
from torch import Tensor, nn

from mmmsf.models import MLDecoderHead, MSFHead, Query2LabelHead
from mmmsf.models.heads import attention_maps
from mmmsf.models.heads.attention_maps import (
    activation_maps,
    check_class_maps,
    map_kind,
    predict_with_maps,
    sum_maps,
)
from mmmsf.models.layers import attention as attention_module

from .test_msf_head import AUTHORS, SMALL, make_feats

SINGLE = dict(num_classes=5, in_channels=8, embed_dims=8, num_heads=2, feedforward_channels=12)


class Recorder:
    """Keeps the keys, values and outputs of every attention that the real path computes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[Tensor, Tensor]] = []
        fused = torch.nn.functional.scaled_dot_product_attention

        def record(query: Tensor, key: Tensor, value: Tensor, **kwargs: Any) -> Tensor:
            out = fused(query, key, value, **kwargs)
            self.calls.append((value, out))
            return out

        monkeypatch.setattr(attention_module.F, 'scaled_dot_product_attention', record)


def check_against_fused(
    head: nn.Module,
    layer: int,
    num_layers: int,
    num_branches: int,
    share: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The maps before averaging, applied to the values, are what the fused attention gave."""
    feats, weights = make_feats()[:num_branches], []
    average = attention_maps.weights_to_maps
    for name in ('msf_head', 'query2label_head', 'ml_decoder_head'):
        monkeypatch.setattr(
            f'mmmsf.models.heads.{name}.weights_to_maps',
            lambda w, shapes: weights.extend(w) or average(w, shapes),
        )
    maps = head.attention_maps(feats, layer)
    recorder = Recorder(monkeypatch)
    head(feats)
    # Cross-attentions have fewer queries than keys here or other numbers; self-attentions go first
    calls = [call for call in recorder.calls if call[1].shape[2] == 5 != call[0].shape[2]]
    assert len(calls) == num_layers * num_branches
    if share:
        calls = calls[(layer % num_layers) * num_branches :][:num_branches]
    else:
        calls = calls[layer % num_layers :: num_layers]
    assert len(weights) == len(calls) == len(maps)
    for weight, (value, out), x, feat in zip(
        weights, calls, maps, feats[-len(maps) :], strict=True
    ):
        torch.testing.assert_close(weight @ value, out, atol=1e-5, rtol=1e-5)
        assert x.shape == (2, 5, *feat.shape[-2:])
        torch.testing.assert_close(x.flatten(2), weight.mean(dim=1))
        torch.testing.assert_close(x.sum(dim=(-2, -1)), torch.ones(2, 5))


@pytest.mark.parametrize('profile', [dict(), AUTHORS], ids=['paper', 'authors'])
@pytest.mark.parametrize(
    'extra',
    [
        dict(),
        dict(share_branches=False),
        dict(num_scales=1),
        dict(num_scales=2),
        dict(decoder_self_attn='all'),
        dict(decoder_self_attn='first', share_branches=False),
        dict(decoder_self_attn='rest'),
        dict(num_encoder_layers=0),
    ],
    ids=str,
)
@pytest.mark.parametrize('layer', [-1, 0])
def test_maps_are_the_weights_of_the_fused_attention(
    profile: dict, extra: dict, layer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    head = MSFHead(**SMALL, **profile, **extra).eval()
    check_against_fused(
        head, layer, 3, extra.get('num_scales', 3), extra.get('share_branches', True), monkeypatch
    )


@pytest.mark.parametrize(
    ('head', 'num_layers'),
    [
        (Query2LabelHead(**SINGLE), 2),
        (Query2LabelHead(**SINGLE, query_mode='first'), 2),
        (MLDecoderHead(**SINGLE), 1),
    ],
    ids=['q2l', 'q2l-first', 'ml-decoder'],
)
def test_heads_of_a_single_map(
    head: nn.Module, num_layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_against_fused(head.eval(), -1, num_layers, 1, True, monkeypatch)


def test_classes_of_a_group_share_their_map() -> None:
    head = MLDecoderHead(**SINGLE, num_groups=2).eval()
    maps = head.attention_maps(make_feats())[0]
    assert maps.shape == (2, 5, 1, 2)
    torch.testing.assert_close(maps[:, :2], maps[:, 1:3])
    torch.testing.assert_close(maps[:, 3], maps[:, 4])
    assert not torch.equal(maps[:, 2], maps[:, 3])


def test_the_forward_pass_computes_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:

    def fail(*args: Any, **kwargs: Any) -> None:
        raise AssertionError('the explicit softmax ran')

    monkeypatch.setattr('mmmsf.models.layers.decoder.branch_attention_weights', fail)
    head = MSFHead(**SMALL)
    head(make_feats()).sum().backward()
    with pytest.raises(AssertionError, match='explicit softmax'):
        head.attention_maps(make_feats())


def test_what_cannot_be_shown() -> None:
    with pytest.raises(ValueError, match='num_decoder_layers=0 has no cross-attention'):
        MSFHead(**SMALL, num_decoder_layers=0).attention_maps(make_feats())
    with pytest.raises(ValueError, match='`layer` must be from -3 to 2 .* got 3'):
        MSFHead(**SMALL).attention_maps(make_feats(), 3)
    with pytest.raises(ValueError, match='`layer` must be 0 or -1'):
        MLDecoderHead(**SINGLE).attention_maps(make_feats(), 1)
    model = nn.Module()
    for model.head in (nn.Linear(1, 1), MSFHead(**SMALL, num_decoder_layers=0)):
        assert map_kind(model) is None
        with pytest.raises(ValueError, match=f'{type(model.head).__name__} has no attention'):
            check_class_maps(model)


def test_sum_weighs_the_scales_alike() -> None:
    fine, coarse = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 2, 2)
    fine[0, 0, 3, 0], coarse[0, 0, 0, 1] = 1.0, 1.0
    total = sum_maps([fine, coarse])[0, 0]
    torch.testing.assert_close(total.sum(), torch.tensor(1.0))
    # Half of all from the fine map in its one cell; the coarse one adds to its quarter
    torch.testing.assert_close(total[3, 0], torch.tensor(0.5))
    assert total[0, 3] == total[:2, 2:].max() > total[2:, 2:].max() > 0


def test_maps_of_no_class_are_summed() -> None:
    assert sum_maps([torch.ones(1, 0, 2, 2), torch.ones(1, 0, 4, 4)]).shape == (1, 0, 4, 4)


def slow_activation_maps(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Add up the evidence of every channel at every place, one number at a time."""
    B, C, h, w = x.shape
    maps = np.zeros((B, len(weight), h, w))
    for b, k, i, j in np.ndindex(*maps.shape):
        maps[b, k, i, j] = max(sum(weight[k, c] * x[b, c, i, j] for c in range(C)), 0)
    for b, k in np.ndindex(B, len(weight)):
        total = maps[b, k].sum()
        maps[b, k] = maps[b, k] / total if total else 1 / (h * w)
    return maps


def test_activation_maps_against_loops() -> None:
    rng = np.random.default_rng(0)
    x, weight = rng.random((2, 3, 4, 5)), rng.standard_normal((6, 3))
    weight[2] = -1.0  # no positive evidence anywhere: a uniform map
    weight[3] = 0.0
    expected = slow_activation_maps(x, weight)
    found = activation_maps(torch.from_numpy(x), torch.from_numpy(weight)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found[:, 2:4], 1 / 20)


class Map(nn.Module):
    """A backbone that returns its input."""

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (x,)


def make_classifier(head: nn.Module, neck: nn.Module | None) -> ImageClassifier:
    return ImageClassifier(backbone=Map(), neck=neck, head=head).eval()


def test_a_linear_heads_map_is_its_evidence() -> None:
    head = MultiLabelLinearClsHead(5, 3)
    torch.nn.init.normal_(head.fc.weight)
    model = make_classifier(head, GlobalAveragePooling())
    x = torch.randn(2, 3, 4, 6)
    samples, (maps,) = predict_with_maps(model, x)
    expected = slow_activation_maps(x.numpy(), head.fc.weight.detach().numpy())
    torch.testing.assert_close(maps, torch.from_numpy(expected).float())
    torch.testing.assert_close(samples[1].pred_score, model(x)[1].sigmoid())
    with pytest.raises(ValueError, match='`layer` must be 0 or -1 .* got 1'):
        predict_with_maps(model, x, layer=1)


@pytest.mark.parametrize('num_heads', [1, 2])
def test_csras_map_is_its_score_at_each_place(num_heads: int) -> None:
    head = CSRAClsHead(5, 3, num_heads, lam=0.1)
    for module in head.csra_heads:
        torch.nn.init.normal_(module.head.weight)
    x = torch.randn(2, 3, 4, 6)
    _, (maps,) = predict_with_maps(make_classifier(head, None), x)
    weight = np.zeros((5, 3))
    for module in head.csra_heads:
        row = module.head.weight.detach().numpy()[:, :, 0, 0]
        weight += row / np.sqrt((row**2).sum(axis=1, keepdims=True))
    torch.testing.assert_close(
        maps, torch.from_numpy(slow_activation_maps(x.numpy(), weight)).float()
    )


def test_heads_that_are_not_known_to_be_linear_have_no_maps() -> None:
    class Squared(MultiLabelLinearClsHead):
        def pre_logits(self, feats: tuple[Tensor, ...]) -> Tensor:
            return feats[-1] ** 2

    assert map_kind(make_classifier(Squared(5, 3), GlobalAveragePooling())) is None
    assert map_kind(make_classifier(MultiLabelLinearClsHead(5, 3), None)) is None
