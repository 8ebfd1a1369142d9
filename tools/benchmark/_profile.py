"""Operators, or GPU kernels, that take most of a call's time."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile


class Operator(NamedTuple):
    """Operator or kernel of a call; ``share`` is that of the time of all of them, 0 to 1."""

    name: str
    calls: int
    seconds: float
    share: float


def top_operators(
    run: Callable[[], object], limit: int, device: torch.device | str = 'cpu'
) -> list[Operator]:
    """Profile a call.

    Args:
        run: Function to call; call it once before, so that caches are filled.
        limit: Number of operators to return.
        device: Device of the call; on a GPU its kernels are listed, without the operators of torch.

    Returns:
        Operators by time, without the operators that they call, the slowest first.
    """
    cuda = torch.device(device).type == 'cuda'
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    with profile(activities=activities) as profiler:
        run()
        if cuda:
            torch.cuda.synchronize(device)
    averages = profiler.key_averages()
    if cuda:
        kernels = [event for event in averages if event.device_type == DeviceType.CUDA]
        times = [(e.self_device_time_total, e.count, e.key) for e in kernels]
    else:
        times = [(e.self_cpu_time_total, e.count, e.key) for e in averages]
    total = sum(microseconds for microseconds, _, _ in times) or 1
    return [
        Operator(name, calls, microseconds / 1e6, microseconds / total)
        for microseconds, calls, name in sorted(times, reverse=True)[:limit]
    ]
