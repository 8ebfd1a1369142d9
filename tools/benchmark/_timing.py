"""Interleaved timing with spread, and the machine's own peak."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Task:
    """Task to time.

    Attributes:
        run: Function to time.
        prepare: Function called before it, untimed.
    """

    run: Callable[[], object]
    prepare: Callable[[], object] = _nothing


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of a sample."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> 'Spread':
        """Compute the spread of at least one value; quartiles by linear interpolation."""
        low, high = np.quantile(values, [0.25, 0.75])
        return cls(median(values), float(low), float(high))

    def __str__(self) -> str:
        return ' '.join([digits(self.median), f'[{digits(self.low)}, {digits(self.high)}]'])


def digits(value: float, significant: int = 3) -> str:
    """Format a number with three significant digits, and all digits of the integer part."""
    if not math.isfinite(value) or value == 0:
        return f'{value:g}'
    return f'{value:.{max(0, significant - 1 - math.floor(math.log10(abs(value))))}f}'


def measure(
    tasks: Mapping[str, Task],
    rounds: int,
    min_seconds: float = 0.0,
    warmup: int = 1,
    synchronize: Callable[[], object] = _nothing,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time tasks in turns, so that a change of the machine's speed affects all of them.

    Every second round runs in reverse order. The value of a round is the mean of as many calls as
    fill ``min_seconds``, by the duration of the last warm-up call.

    Args:
        tasks: Tasks by name.
        rounds: Number of values of each task, at least 1.
        min_seconds: Shortest duration of a round.
        warmup: Number of untimed calls of each task before the first round, at least 1.
        synchronize: Function that waits for the device.
        clock: Function that returns the time in seconds.

    Returns:
        For each name the seconds a call, round by round.

    Raises:
        ValueError: ``rounds`` or ``warmup`` is below 1.
    """
    for name, value in (('rounds', rounds), ('warmup', warmup)):
        if value < 1:
            raise ValueError(f'`{name}` must be at least 1, got {value}')

    def timed(task: Task, calls: int) -> float:
        task.prepare()
        synchronize()
        start = clock()
        for _ in range(calls):
            task.run()
        synchronize()
        return (clock() - start) / calls

    calls = {}
    for name, task in tasks.items():
        once = [timed(task, 1) for _ in range(warmup)][-1]
        calls[name] = max(1, math.ceil(min_seconds / max(once, 1e-9)))
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for index in range(rounds):
        for name in list(tasks)[:: -1 if index % 2 else 1]:
            seconds[name].append(timed(tasks[name], calls[name]))
    return seconds


def matmul_task(
    dtype: torch.dtype, device: torch.device | str, size: int | None = None
) -> tuple[Task, float]:
    """Make the task of a square matrix product, the fastest operation of a machine.

    Args:
        dtype: Type of the matrices.
        device: Device of the matrices.
        size: Number of rows, by default 2048 on a CPU and 8192 on a GPU.

    Returns:
        The task and its floating-point operations (a multiply-add counts as two).
    """
    device = torch.device(device)
    n = size or (2048 if device.type == 'cpu' else 8192)
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    out = torch.empty_like(a)
    return Task(lambda: torch.mm(a, b, out=out)), 2.0 * n**3
