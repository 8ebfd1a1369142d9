"""Frozen parts of a timm backbone stay as they are, the rest trains."""

import pytest
import torch
from mmpretrain.models.backbones import TIMMBackbone
from mmpretrain.registry import MODELS

FROZEN = ('conv1', 'bn1', 'layer1')


def build(**kwargs: object) -> torch.nn.Module:
    pytest.importorskip('timm')
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='mmmsf.FrozenTIMMBackbone',
            model_name='resnet18',
            features_only=True,
            out_indices=(3, 4),
            zero_init_last=False,
            **kwargs,
        )
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
