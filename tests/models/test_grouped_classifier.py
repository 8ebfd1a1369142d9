"""Groups around every head: scores, labels, losses, copies and wrappers."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn
from torch.testing import assert_close

from mmmsf.checkpoint.loading import build_model
from mmmsf.engine.fast_forward import FastForward, FastOptions
from mmmsf.models import AverageScoreTTA
from mmmsf.models.heads.attention_maps import map_kind, predict_with_maps
from tests.helpers.small_checkpoint import CLASSES, small_config
from tests.test_every_head import HEADS

GROUPS: list[dict[str, Any]] = [
    dict(name='animal', classes=['cat', 'dog'], rule='one'),
    dict(name='thing', classes=['cup', 'red bus'], rule='at_most_one'),
]
ANIMAL, THING, FREE = [0, 1], [4, 2], 3


def grouped(cfg: Config) -> Config:
    """The same config with groups."""
    cfg = copy.deepcopy(cfg)
    cfg.model.update(type='mmmsf.GroupedClassifier', groups=GROUPS, classes=list(CLASSES))
    return cfg


def config(name: str) -> Config:
    head, neck, _ = HEADS[name]
    cfg = small_config()
    cfg.model.head, cfg.model.neck = dict(num_classes=len(CLASSES), **head), neck
    return cfg


def samples(count: int = 3) -> list[DataSample]:
    target = torch.tensor([[1, 0, 0, 1, 0], [0, 1, 0, 0, 1], [-1, -1, 1, -1, -1]]).float()
    return [DataSample().set_gt_score(row) for row in target[:count]]


def pair(cfg: Config) -> tuple[nn.Module, nn.Module]:
    """The model without and with groups, with the same weights."""
    torch.manual_seed(0)
    plain, model = build_model(cfg), build_model(grouped(cfg))
    model.load_state_dict(plain.state_dict())
    return plain, model


def softmax_scores(logits: torch.Tensor) -> torch.Tensor:
    expected = logits.sigmoid()
    expected[:, ANIMAL] = logits[:, ANIMAL].softmax(1)
    none = torch.zeros(len(logits), 1)
    expected[:, THING] = torch.cat([logits[:, THING], none], 1).softmax(1)[:, :2]
    return expected


@pytest.mark.parametrize('name', HEADS)
def test_every_head_gives_a_softmax_keeps_its_weights_and_trains(name: str) -> None:
    plain, model = pair(config(name))
    images = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = softmax_scores(plain(images))
        found = model(images, mode='predict')
        assert_close(torch.stack([x.pred_score for x in found]), expected)
        assert map_kind(model) == map_kind(plain)
        if map_kind(model) is not None:
            found = predict_with_maps(model, images)[0]
    for sample in found:
        score, label = sample.pred_score, sample.pred_label.tolist()
        assert int(score[ANIMAL].argmax()) in label and len({*label} & {*ANIMAL}) == 1
        assert [k for k in THING if k in label] == [k for k in THING if score[k] >= 0.5]
        assert (FREE in label) == (score[FREE] >= 0.5)
    model.train()
    loss = model(images, samples(), mode='loss')
    total = sum(value for key, value in loss.items() if 'loss' in key)
    total.backward()
    assert total.isfinite() and any(x.grad is not None and x.grad.any() for x in model.parameters())
    assert type(model.head) is type(plain.head) and not model.head.in_loss


def test_the_loss_is_that_of_the_heads_own_logits_in_both_modes() -> None:
    plain, model = pair(config('linear'))
    images = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        target = torch.stack([x.gt_score for x in samples()])
        expected = model.head.loss_module(plain(images), target, avg_factor=3)
        assert_close(model(images, samples(), mode='loss')['loss'], expected)


def test_losses_of_branches_have_groups_too() -> None:
    _, model = pair(config('msf-ours'))
    assert model.head.branch_loss
    parts = model.train()(torch.randn(2, 3, 64, 64), samples(2), mode='loss')
    assert len(parts) > 1 and all(value.isfinite() for value in parts.values())


def test_copies_and_the_fast_copy_give_the_same_scores() -> None:
    _, model = pair(config('msf'))
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    data = dict(inputs=list(images), data_samples=samples(2))
    with torch.no_grad():
        expected = [x.pred_score for x in model.eval().test_step(copy.deepcopy(data))]
        for other in (copy.deepcopy(model), FastForward(model, FastOptions())):
            found = other.test_step(copy.deepcopy(data))
            assert_close([x.pred_score for x in found], expected, atol=1e-5, rtol=0)
    copied = copy.deepcopy(model)
    assert copied.head.exclusive is not model.head.exclusive
    copied.head.in_loss = True
    assert not model.head.in_loss


def test_the_average_of_views_keeps_the_rules() -> None:
    _, model = pair(config('linear'))
    tta = AverageScoreTTA(module=model)
    views = [[0.6, 0.4, 0.5, 0.9, 0.45], [0.1, 0.9, 0.45, 0.8, 0.5]]
    merged = tta.merge_preds([[DataSample().set_pred_score(torch.tensor(x)) for x in views]])
    assert merged[0].pred_label.tolist() == [1, 3]
    model.head.thr = torch.tensor([0.9, 0.9, 0.4, 0.9, 0.4])  # as tools/test.py --thresholds sets
    merged = tta.merge_preds([[DataSample().set_pred_score(torch.tensor(x)) for x in views]])
    assert merged[0].pred_label.tolist() == [1, 4]
    np.testing.assert_allclose(merged[0].pred_score[ANIMAL].sum(), 1)


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        (dict(classes=['cat', 'dog']), 'classes.*5.*2'),
        (dict(classes=None), "'cat'.*classes"),
        (dict(groups=[dict(name='a', classes=[0, 7], rule='one')], classes=None), "'a'"),
        (dict(head=dict(type='LinearClsHead', num_classes=5, in_channels=64)), 'LinearClsHead'),
    ],
)
def test_a_model_that_cannot_have_the_groups_is_refused(change: dict, named: str) -> None:
    cfg = grouped(config('linear')).model.to_dict() | change
    with pytest.raises(ValueError, match=named):
        MODELS.build({**cfg, '_scope_': 'mmpretrain'})
