"""Stability of profile ``ours``: finite, falling losses at high rates and in half precision."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmmsf.models import MSFHead, MSFNeck

from .backbones.test_backbones import BACKBONES

HEAD = dict(num_classes=6, embed_dims=64, num_heads=4, feedforward_channels=128, profile='ours')


class NeckAndHead(nn.Module):
    """Neck and head without backbone: the maps are the inputs."""

    def __init__(self, neck: dict[str, Any], head: dict[str, Any]) -> None:
        super().__init__()
        self.neck, self.head = MSFNeck([24, 40], 64, **neck), MSFHead(**{**HEAD, **head})

    def loss(self, maps: list[Tensor], samples: list[DataSample]) -> dict[str, Tensor]:
        return self.head.loss(self.neck(maps), samples)


def make_samples(targets: Tensor) -> list[DataSample]:
    return [DataSample().set_gt_score(row) for row in targets]


def large_maps(number: int) -> Iterator[tuple[list[Tensor], list[DataSample]]]:
    """Draw maps with a deviation of 7 that classes add a direction to where they are present."""
    generator = torch.Generator().manual_seed(0)
    directions = [torch.randn(6, C, 1, 1, generator=generator) for C in (24, 40)]
    for _ in range(number):
        targets = (torch.rand(8, 6, generator=generator) < 0.3).float()
        maps = []
        for direction, side in zip(directions, (8, 4), strict=True):
            noise = torch.randn(8, len(direction[0]), side, side, generator=generator)
            signal = torch.einsum('bk,kcij->bcij', targets, direction)
            maps.append(7 * (noise + 2 * signal))
        yield maps, make_samples(targets)


def train(model: Any, batches: Iterator[Any], rate: float, dtype: torch.dtype) -> list[float]:
    """Train with AdamW, with a loss scaler in float16, and return the losses."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    scaler = torch.amp.GradScaler('cpu', enabled=dtype == torch.float16, init_scale=2.0**10)
    losses = []
    for inputs, samples in batches:
        with torch.autocast('cpu', dtype, enabled=dtype != torch.float32):
            loss = sum(model.loss(inputs, samples).values())
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    return losses


def check(model: nn.Module, losses: list[float]) -> None:
    """Require finite losses and weights, and a lower loss at the end."""
    assert torch.tensor(losses).isfinite().all(), losses
    assert [n for n, p in model.named_parameters() if not p.isfinite().all()] == []
    edge = len(losses) // 5
    assert sum(losses[-edge:]) < 0.85 * sum(losses[:edge]), losses


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize('pooled', [False, True], ids=['', 'pooling'])
def test_large_maps_at_a_high_rate(dtype: torch.dtype, pooled: bool) -> None:
    torch.manual_seed(0)
    head = dict(pooling_channels=40) if pooled else {}
    model = NeckAndHead(dict(profile='ours', passthrough=pooled), head)
    check(model, train(model, large_maps(30), 1e-3, dtype))


@pytest.mark.slow
@pytest.mark.parametrize('profile', ['paper', 'authors'])
def test_init_scale_makes_the_product_train(profile: str) -> None:
    """The raw product of these maps has a deviation above a thousand."""
    ends = []
    for init_scale in (None, 0.3):
        torch.manual_seed(0)
        model = NeckAndHead(dict(profile=profile, init_scale=init_scale), dict(profile=profile))
        losses = train(model, large_maps(30), 3e-4, torch.float32)
        ends.append(sum(losses[-6:]))
    check(model, losses)
    assert ends[1] < 0.5 * ends[0], ends


def noisy_images(number: int) -> Iterator[tuple[Tensor, list[DataSample]]]:
    """Draw four images with labels once, and yield them again and again."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(4, 3, 64, 64, generator=generator)
    targets = (torch.rand(4, 6, generator=generator) < 0.4).float()
    for _ in range(number):
        yield images, make_samples(targets)


@pytest.mark.slow
@pytest.mark.parametrize(
    'rate, dtype', [(1e-4, torch.float32), (1e-3, torch.float32), (1e-3, torch.bfloat16)], ids=str
)
@pytest.mark.parametrize('name', ['resnet18', 'convnext_tiny', 'swin_tiny', 'vit_single_map'])
def test_any_backbone(name: str, rate: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    backbone, channels = BACKBONES[name]
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(backbone),
            neck=dict(
                type='mmmsf.MSFNeck',
                in_channels=channels,
                embed_dims=64,
                profile='ours',
                passthrough=True,
            ),
            head=dict(type='mmmsf.MSFHead', pooling_channels=channels[-1], **HEAD),
        )
    )
    check(model, train(model, noisy_images(15), rate, dtype))
