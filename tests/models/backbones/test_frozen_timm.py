"""Frozen parts of a timm backbone stay as they are, the rest trains."""

import pytest
import torch
from mmpretrain.models.backbones import TIMMBackbone
from mmpretrain.registry import MODELS

RESNET = dict(model_name='resnet18', out_indices=(3, 4), zero_init_last=False)
FROZEN = ('conv1', 'bn1', 'layer1')


def build(**kwargs: object) -> torch.nn.Module:
    pytest.importorskip('timm')
    torch.manual_seed(0)
    network = {} if 'model_name' in kwargs else RESNET
    return MODELS.build(
        dict(type='mmmsf.FrozenTIMMBackbone', features_only=True) | network | kwargs
    )


def test_a_training_step_moves_only_what_is_not_frozen() -> None:
    model = build(frozen=FROZEN)
    before = {name: x.clone() for name, x in model.state_dict().items()}
    model.eval()
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    sum(x.square().mean() for x in model(torch.randn(2, 3, 64, 64))).backward()
    optimizer.step()
    for name, x in model.state_dict().items():
        frozen = name.removeprefix('timm_model.').split('.')[0] in FROZEN
        assert torch.equal(x, before[name]) == frozen, name


@pytest.mark.parametrize('norm_eval', [True, False])
def test_norms_keep_their_statistics_and_learn(norm_eval: bool) -> None:
    model = build(frozen=FROZEN, norm_eval=norm_eval).train()
    before = {name: x.clone() for name, x in model.state_dict().items()}
    sum(x.square().mean() for x in model(torch.randn(2, 3, 64, 64))).backward()
    for name, x in model.state_dict().items():
        if 'layer4' in name and 'running' in name:
            assert torch.equal(x, before[name]) == norm_eval, name
    assert model.timm_model.layer4[0].bn1.weight.grad.abs().sum() > 0


def test_gives_what_mmpretrains_gives() -> None:
    model = build(frozen=FROZEN).eval()
    plain = TIMMBackbone('resnet18', features_only=True, out_indices=(3, 4))
    plain.eval()  # returns nothing
    plain.load_state_dict(model.state_dict())
    x = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(model(x), plain(x), rtol=0, atol=0)


@pytest.mark.parametrize('name', ['layer9', ''])
def test_unknown_part_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"must name modules .*'layer4'"):
        build(frozen=('conv1', name))


@pytest.mark.parametrize(
    ('name', 'channels', 'side'),
    [
        ('tf_efficientnet_lite0', [112, 320, 1280], 64),
        ('mobilenetv2_035', [32, 112, 1280], 64),
        pytest.param('swin_tiny_patch4_window7_224', [], 224, marks=pytest.mark.slow),
    ],
)
def test_final_map_is_what_the_classifier_pools(name: str, channels: list, side: int) -> None:
    timm = pytest.importorskip('timm')
    indices = (3, 4) if channels else ()
    model = build(model_name=name, out_indices=indices, with_final_map=True)
    model.eval()
    classifier = timm.create_model(name).eval()
    missing = classifier.load_state_dict(model.timm_model.state_dict(), strict=False).missing_keys
    assert all('classifier' in key or 'head.fc' in key for key in missing)
    x = torch.randn(2, 3, side, side)
    with torch.no_grad():
        maps = model(x)
        logits = classifier.get_classifier()(maps[-1].mean(dim=(2, 3)))
        torch.testing.assert_close(logits, classifier(x))
    if channels:
        assert [x.shape[1] for x in maps] == channels
        plain = TIMMBackbone(name, features_only=True, out_indices=indices)
        plain.eval()
        plain.load_state_dict(model.state_dict(), strict=False)
        with torch.no_grad():
            torch.testing.assert_close(maps[:2], plain(x), rtol=0, atol=0)


def test_final_map_passes_convnexts_norm() -> None:
    pytest.importorskip('timm')
    model = build(model_name='convnext_atto', out_indices=(3,), with_final_map=True)
    with torch.no_grad():
        model.timm_model.head.norm.weight.uniform_(0.5, 2)
        last, final = model(torch.randn(1, 3, 64, 64))
        norm = model.timm_model.head.norm
        expected = torch.nn.functional.layer_norm(
            last.movedim(1, -1), last.shape[1:2], norm.weight, norm.bias, norm.eps
        )
    torch.testing.assert_close(final, expected.movedim(-1, 1))


@pytest.mark.parametrize('arguments', [dict(features_only=False), dict(out_indices=None)])
def test_final_map_needs_stages(arguments: dict) -> None:
    with pytest.raises(ValueError, match='`with_final_map` needs features_only=True'):
        build(with_final_map=True, **arguments)
