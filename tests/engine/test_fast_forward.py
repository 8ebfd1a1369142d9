"""Prepared copies of networks against the networks themselves."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmmsf.checkpoint import build_model
from mmmsf.engine import FastForward, FastOptions
from mmmsf.models.heads.attention_maps import map_kind, predict_with_maps
from tests.helpers.small_checkpoint import CLASSES, small_config
from tests.models.backbones.test_backbones import BACKBONES
from tests.test_every_head import HEADS

PLAIN = FastOptions(fold=False, channels_last=False)
NETWORKS = ('resnet18', 'mobilenet_v3', 'efficientnet_b0', 'convnext_tiny')
QUICK = ('resnet18', 'mobilenet_v3')


@pytest.fixture(autouse=True)
def _fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def randomize(model: nn.Module) -> Any:
    """Set random statistics, so that a norm that is folded wrongly shows."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.7, 1.3)
    return model.eval()


def small_model(name: str = 'msf') -> Any:
    torch.manual_seed(0)
    head, neck, _ = HEADS[name]
    cfg = small_config()
    cfg.model.head, cfg.model.neck = dict(num_classes=len(CLASSES), **head), neck
    return randomize(build_model(cfg))


def batch(count: int, size: int = 64) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(count)
    images = torch.randint(0, 256, (count, 3, size, size), generator=generator).to(torch.uint8)
    return dict(inputs=images, data_samples=[DataSample() for _ in range(count)])


def logits_of(samples: list[DataSample]) -> Tensor:
    return torch.stack([sample.pred_score for sample in samples]).logit()


def num_norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize('name', HEADS)
def test_scores_and_maps_of_every_head(name: str) -> None:
    model = small_model(name)
    before = copy.deepcopy(model.state_dict())
    fast = FastForward(model, FastOptions())
    got = logits_of(fast.test_step(batch(3)))
    torch.testing.assert_close(got, logits_of(model.test_step(batch(3))), rtol=0, atol=1e-3)
    assert num_norms(fast.module) == 0 < num_norms(model)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    if map_kind(model) is not None:
        data = model.data_preprocessor(batch(2), False)
        samples, expected = predict_with_maps(model, **data)
        found, maps = fast.predict(batch(2), -1)
        torch.testing.assert_close(logits_of(found), logits_of(samples), rtol=0, atol=1e-3)
        torch.testing.assert_close(maps, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    'name',
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS],
)
def test_backbones(name: str) -> None:
    backbone, channels = BACKBONES[name]
    torch.manual_seed(0)
    cfg = small_config()
    cfg.model.backbone, cfg.model.neck.in_channels = dict(backbone), channels
    model = randomize(build_model(cfg))
    fast = FastForward(model, FastOptions())
    got = logits_of(fast.test_step(batch(2)))
    torch.testing.assert_close(got, logits_of(model.test_step(batch(2))), rtol=0, atol=1e-3)
    assert num_norms(fast.module) == 0


def test_each_preparation_can_be_switched_off() -> None:
    model = small_model()
    fast = FastForward(model, PLAIN)
    expected = logits_of(model.test_step(batch(2)))
    assert torch.equal(logits_of(fast.test_step(batch(2))), expected)
    for options in (FastOptions(fold=False), FastOptions(channels_last=False)):
        fast = FastForward(model, options)
        fast.test_step(batch(2))
        assert (num_norms(fast.module) == 0) == options.fold
        weight = fast.module.backbone.layer4[0].conv2.weight
        assert weight.is_contiguous(memory_format=torch.channels_last) == options.channels_last


def test_a_network_that_folding_would_change_is_not_folded(capture_log: list[str]) -> None:
    model = small_model('linear')
    conv, taps = model.backbone.conv1, []
    conv.register_forward_hook(lambda module, args, output: taps.append(output))
    head = model.head.forward
    # the head reads the convolution's output, which a folded network no longer has
    model.head.forward = lambda feats: head(feats) + taps[-1].mean()
    expected = logits_of(model.test_step(batch(2)))
    fast = FastForward(model, FastOptions(channels_last=False))
    assert torch.equal(logits_of(fast.test_step(batch(2))), expected)
    assert num_norms(fast.module) == num_norms(model)
    assert any('not folded' in line for line in capture_log)


def test_mixed_precision_gives_float32_scores() -> None:
    model = small_model()
    fast = FastForward(model, FastOptions(amp=True))
    seen = []
    samples = fast.test_step(batch(3))
    fast.module.backbone.layer4.register_forward_hook(lambda *args: seen.append(args[2].dtype))
    fast.test_step(batch(3))
    assert seen == [torch.bfloat16] and samples[0].pred_score.dtype == torch.float32
    expected = logits_of(model.test_step(batch(3)))
    torch.testing.assert_close(logits_of(samples), expected, rtol=0, atol=0.1)


@pytest.mark.slow
def test_incomplete_batches_do_not_recompile(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[list[int]] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Any]) -> Any:
        shapes.extend(list(x.shape) for x in inputs if isinstance(x, Tensor) and x.ndim == 4)
        return graph.forward

    compile_part = nn.Module.compile
    monkeypatch.setattr(
        nn.Module, 'compile', lambda self, **options: compile_part(self, backend=backend)
    )
    model = small_model('csra')
    fast = FastForward(model, FastOptions(compile=True), batch_size=4)
    compiled = 0
    for count in (4, 4, 3, 1):
        samples = fast.test_step(batch(count))
        expected = model.test_step(batch(count))
        assert len(samples) == count
        torch.testing.assert_close(logits_of(samples), logits_of(expected), rtol=0, atol=1e-3)
        compiled = len(shapes) if count == 4 else compiled
    assert shapes and len(shapes) == compiled
    samples, maps = fast.predict(batch(2), -1)
    assert len(samples) == 2 and all(len(x) == 2 for x in maps)


@pytest.mark.slow
def test_inductor_computes_the_same() -> None:
    model = small_model('linear')
    fast = FastForward(model, FastOptions(compile=True), batch_size=2)
    got = logits_of(fast.test_step(batch(2)))
    torch.testing.assert_close(got, logits_of(model.test_step(batch(2))), rtol=0, atol=1e-3)


def test_a_softmax_model_keeps_its_scores() -> None:
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(type='ResNet_CIFAR', depth=18, base_channels=8, stem_channels=8),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=4, in_channels=64),
        )
    )
    fast = FastForward(randomize(model), FastOptions())
    for got, expected in zip(fast.test_step(batch(2)), model.test_step(batch(2)), strict=True):
        torch.testing.assert_close(got.pred_score, expected.pred_score, rtol=0, atol=1e-5)
