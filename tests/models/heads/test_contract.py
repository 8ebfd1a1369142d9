from typing import Any

import pytest
from mmengine.config import Config
from mmpretrain.models.heads import CSRAClsHead, MultiLabelClsHead, MultiLabelLinearClsHead
from torch import nn

from mmmsf.models import MLDecoderHead, MSFHead, Query2LabelHead
from mmmsf.models.heads.contract import head_num_classes, offers_attention

from .test_attention_maps import SINGLE
from .test_msf_head import SMALL


def declare(num_classes: Any) -> Config:
    return Config(dict(model=dict(head=dict(type='X', num_classes=num_classes))))


@pytest.mark.parametrize(
    'head',
    [MultiLabelLinearClsHead(5, 3), MSFHead(**SMALL), Query2LabelHead(**SINGLE)],
    ids=lambda head: type(head).__name__,
)
def test_the_head_comes_before_the_config(head: nn.Module) -> None:
    assert head_num_classes(head) == head_num_classes(head, declare(7)) == 5


def test_the_config_of_a_head_that_stores_none() -> None:
    head = CSRAClsHead(5, 3, 1, lam=0.1)
    assert head_num_classes(head, declare(5)) == 5
    cfg = declare(5)
    cfg.model = dict(type='mmmsf.AverageScoreTTA', module=cfg.model)
    assert head_num_classes(head, cfg) == 5
    for empty in (None, Config(), Config(dict(model=dict(head=None)))):
        with pytest.raises(ValueError, match='`num_classes` .* CSRAClsHead .* got neither'):
            head_num_classes(head, empty)


@pytest.mark.parametrize('wrong', [0, -1, 2.0, '5', True])
def test_the_number_is_a_positive_integer(wrong: Any) -> None:
    with pytest.raises(ValueError, match=f'must be a positive integer, got {wrong!r}'):
        head_num_classes(MultiLabelClsHead(), declare(wrong))


@pytest.mark.parametrize('head', [CSRAClsHead(5, 3, 2, lam=0.1), MultiLabelLinearClsHead(5, 3)])
def test_the_number_is_that_of_the_logits(head: nn.Module) -> None:
    head.num_classes = 4
    with pytest.raises(ValueError, match='must be the number of its logits, 5, got 4'):
        head_num_classes(head)


def test_a_model_has_a_head() -> None:
    with pytest.raises(ValueError, match='must have a `head`'):
        head_num_classes(None, declare(5))


def test_attention_is_offered_by_method_and_refused_by_flag() -> None:
    for head in (MSFHead(**SMALL), Query2LabelHead(**SINGLE), MLDecoderHead(**SINGLE)):
        assert offers_attention(head)
    assert not offers_attention(MSFHead(**SMALL, num_decoder_layers=0))
    assert not offers_attention(MultiLabelLinearClsHead(5, 3))
    assert not offers_attention(None)
