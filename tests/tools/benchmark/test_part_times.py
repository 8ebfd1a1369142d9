from collections.abc import Sequence
from typing import Any

import torch
from _part_times import head_peak, part_memory, time_parts
from torch import Tensor, nn


class Ticks:
    """A clock on which every part that runs, forward or backward, takes its own time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Part(nn.Module):
    """Scales maps by a weight; moves the clock in both passes."""

    def __init__(self, ticks: Ticks, forward: float, backward: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))
        self.ticks, self.seconds, self.backward_seconds = ticks, forward, backward
        self.gradients: list[float] = []

    def _on_gradient(self, grad: Tensor) -> None:
        self.ticks.now += self.backward_seconds
        self.gradients.append(float(grad))

    def forward(self, x: Any) -> Any:
        self.ticks.now += self.seconds
        x = x[-1] if isinstance(x, tuple) else x
        weight = self.weight * 1
        if weight.requires_grad:
            weight.register_hook(self._on_gradient)
        return (x * weight,)


class Head(Part):
    def forward(self, x: Any) -> Any:
        return super().forward(x)[0].flatten(1)

    def loss(self, x: Any, samples: Sequence[object]) -> dict[str, Tensor]:
        return dict(loss=self(x).sum(), accuracy=torch.tensor(1e9))


class Model(nn.Module):
    def __init__(self, ticks: Ticks, neck: bool = True) -> None:
        super().__init__()
        self.backbone = Part(ticks, 1.0, 10.0)
        self.neck = Part(ticks, 2.0, 20.0) if neck else None
        self.head = Head(ticks, 3.0, 30.0)


def test_every_part_gets_its_own_time() -> None:
    ticks = Ticks()
    times = time_parts(Model(ticks), torch.ones(1, 1, 2, 2), clock=ticks)
    assert times.forward == dict(backbone=1.0, neck=2.0, head=3.0)
    assert times.backward == {}
    times = time_parts(Model(ticks), torch.ones(1, 1, 2, 2), ['label'], clock=ticks)
    assert times.forward == dict(backbone=1.0, neck=2.0, head=3.0)
    assert times.backward == dict(head=30.0, neck=20.0, backbone=10.0)


def test_a_model_may_lack_a_neck() -> None:
    ticks = Ticks()
    times = time_parts(Model(ticks, neck=False), torch.ones(1, 1, 2, 2), ['label'], clock=ticks)
    assert times.backward == dict(head=30.0, backbone=10.0)


def test_gradients_are_those_of_the_uncut_graph_and_are_dropped() -> None:
    model = Model(Ticks())
    images = torch.rand(1, 1, 2, 2)
    time_parts(model, images, ['label'])
    got = [part.gradients.pop() for part in model.children()]
    model.head.loss(model.neck(model.backbone(images)), [])['loss'].backward()
    assert got == [part.gradients.pop() for part in model.children()]
    time_parts(model, images, ['label'])
    assert all(p.grad is None for p in model.parameters())


def test_memory_of_parts() -> None:
    model, images = Model(Ticks()), torch.ones(1, 1, 64, 64)
    # Each keeps its input, which is not counted, and for the input's gradient the scaled weight.
    assert part_memory(model, images, ['label']) == dict(backbone=0, neck=4, head=4)
    peak = head_peak(model, images, ['label'])
    one_map = 64 * 64 * 4
    assert 3 * one_map <= peak < 4 * one_map  # the map between, its gradient, a product
