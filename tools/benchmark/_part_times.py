"""Time and memory of a model's parts: backbone, neck and head one after the other."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from _memory import peak_bytes, resident_bytes, saved_bytes
from torch import Tensor, nn

PARTS = ('backbone', 'neck', 'head')


@dataclass(frozen=True)
class PartTimes:
    """Seconds of each part; ``backward`` is empty after inference."""

    forward: dict[str, float]
    backward: dict[str, float]


def _stages(model: Any, samples: Sequence[Any]) -> dict[str, Callable[[Any], Any]]:
    """Map each part to its call; the head returns the loss, without samples the logits."""

    def head(feats: Any) -> Tensor:
        if not samples:
            return model.head(feats)
        losses = model.head.loss(feats, list(samples))
        return torch.stack([value.mean() for name, value in losses.items() if 'loss' in name]).sum()

    stages: dict[str, Callable[[Any], Any]] = dict(backbone=model.backbone)
    if getattr(model, 'neck', None) is not None:
        stages['neck'] = model.neck
    return {**stages, 'head': head}


def _tensors(x: Any) -> tuple[Tensor, ...]:
    return (x,) if isinstance(x, Tensor) else tuple(x)


def _leaves(x: Any) -> tuple[Tensor, ...]:
    """Detach tensors from their graph and let them require gradients."""
    return tuple(tensor.detach().requires_grad_() for tensor in _tensors(x))


def time_parts(
    model: nn.Module,
    images: Tensor,
    samples: Sequence[Any] = (),
    synchronize: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> PartTimes:
    """Time one pass part by part.

    The graph is cut between the parts: each part's backward pass starts from the gradient of the
    next one's inputs and is timed by itself. Gradients are cleared at the end.

    Args:
        model: Classifier with ``backbone``, ``neck`` (or None) and ``head``.
        images: Images (B, 3, H, W).
        samples: Data samples of the B images for a training pass; empty for inference.
        synchronize: Function that waits for the device.
        clock: Function that returns the time in seconds.
    """

    def timed(run: Callable[..., Any], *args: Any) -> tuple[float, Any]:
        synchronize()
        start = clock()
        result = run(*args)
        synchronize()
        return clock() - start, result

    forward: dict[str, float] = {}
    backward: dict[str, float] = {}
    cuts: dict[str, tuple[tuple[Tensor, ...], tuple[Tensor, ...]]] = {}
    x: Any = images
    with torch.set_grad_enabled(bool(samples)):
        for name, stage in _stages(model, samples).items():
            forward[name], out = timed(stage, x)
            x = _leaves(out) if samples else out
            cuts[name] = _tensors(out), x
    if samples:
        backward['head'], _ = timed(cuts.pop('head')[0][0].backward)
        for name, (outs, leaves) in reversed(cuts.items()):
            backward[name], _ = timed(torch.autograd.backward, outs, [x.grad for x in leaves])
        model.zero_grad(set_to_none=True)
    return PartTimes(forward, backward)


def part_memory(model: nn.Module, images: Tensor, samples: Sequence[Any]) -> dict[str, int]:
    """Count the bytes that each part keeps for its backward pass, without parameters and inputs."""
    saved = {}
    x: Any = images
    for name, stage in _stages(model, samples).items():
        known = [*model.parameters(), *model.buffers(), *_tensors(x)]
        outs: list[Any] = []
        saved[name] = saved_bytes(lambda: outs.append(stage(x)), known)  # noqa: B023  called at once
        if name != 'head':
            x = _leaves(outs[0])
    return saved


def head_peak(model: nn.Module, images: Tensor, samples: Sequence[Any]) -> int:
    """Measure the peak memory in bytes that training takes for neck and head.

    It counts weights, AdamW's state, activations and gradients, including those of the backbone's
    maps, but not the maps.
    """
    stages = _stages(model, samples)
    with torch.no_grad():
        feats = _tensors(stages.pop('backbone')(images))
    behind = nn.ModuleList(
        getattr(model, name)
        for name in PARTS[1:]
        if isinstance(getattr(model, name, None), nn.Module)
    )
    optimizer = torch.optim.AdamW(behind.parameters(), lr=0.0)

    def step() -> None:
        x: Any = _leaves(feats)
        for stage in stages.values():
            x = stage(x)
        x.backward()
        optimizer.step()
        optimizer.zero_grad()

    step()
    return resident_bytes(behind, optimizer) + peak_bytes(step, images.device)
