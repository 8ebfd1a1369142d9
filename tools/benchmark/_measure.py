"""Configs measured side by side: inference, training step, memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from _complexity import count_complexity
from _memory import kernel_launches, peak_bytes, resident_bytes
from _profile import Operator, top_operators
from _rows import Row
from _runtimes import Inference, TrainStep, random_batch
from _table import Record
from _timing import Task, matmul_task, measure
from mmpretrain.models import ImageClassifier

# A backward pass makes two products for each one of the forward pass.
TRAIN_COST = 3


@dataclass(frozen=True)
class Options:
    """Options of a measurement; see ``measure`` of :mod:`tools/benchmark/_timing.py`."""

    device: str = 'cpu'
    rounds: int = 5
    warmup: int = 1
    min_seconds: float = 0.2
    threads: int | None = None
    profile: int = 0

    @property
    def synchronize(self) -> Callable[[], object]:
        """Function that waits until the device is idle."""
        if torch.device(self.device).type == 'cuda':
            return partial(torch.cuda.synchronize, self.device)
        return lambda: None


class Benchmark:
    """Measures rows.

    Args:
        rows: Configs to measure; the first is the baseline of the ratios.
        options: Options of the measurement.
    """

    def __init__(self, rows: Sequence[Row], options: Options) -> None:
        self.rows = rows
        self.options = options
        self.device = torch.device(options.device)
        self._flops: dict[tuple[int, int], tuple[int, int]] = {}
        for row in rows:
            row.model.to(self.device)

    def _complexity(self, model: ImageClassifier, size: int) -> tuple[int, int]:
        """Count parameters, and floating-point operations of one image."""
        key = id(model), size
        if key not in self._flops:
            cost = count_complexity(model, (size, size))
            self._flops[key] = cost.total_params, cost.total_flops
        return self._flops[key]

    def _make(
        self, row: Row, what: str, batch: int, size: int
    ) -> tuple[Task, Callable[[], int] | None]:
        """Make the timed task, and a function that counts the bytes held between two calls."""
        images, samples = random_batch(row.num_classes, batch, (size, size), self.device)
        if what == 'inference':
            call = Inference(row.model, row.mode, images, self.options.threads)
            if call.net is None or 'frozen' in row.mode:
                return call.task, None  # weights are not torch's, or exist twice
            return call.task, partial(resident_bytes, call.net)
        step = TrainStep(row.model, row.mode, row.cfg)
        return (
            step.task(images, samples),
            partial(resident_bytes, step.model, step.optimizer.optimizer),
        )

    def run(
        self, what: str, batch: int, size: int, timed: bool = True, memory: bool = False
    ) -> list[Record]:
        """Measure one kind of work.

        Args:
            what: ``'inference'`` or ``'train'``; the latter skips rows that cannot be trained.
            batch: Number of images in a call.
            size: Side of the images in pixels.
            timed: If True, measure times.
            memory: If True, measure the peak memory of weights, optimizer state, activations and
                gradients.
        """
        torch.compiler.reset()  # else a second size compiles to code for dynamic sizes
        rows = [row for row in self.rows if what == 'inference' or row.mode.trains]
        cost = [self._complexity(row.model, size) for row in rows]
        made = [self._make(row, what, batch, size) for row in rows]
        tasks = {
            f'{row.name} {row.mode.name}': task for row, (task, _) in zip(rows, made, strict=True)
        }
        if timed:
            seconds, peaks = self._time(rows, tasks)
        else:
            seconds, peaks = {name: [] for name in tasks}, {}
            for task in tasks.values():
                task.run()
        passes = batch * (TRAIN_COST if what == 'train' else 1)
        records = []
        for row, (params, flops), (task, resident), name in zip(
            rows, cost, made, tasks, strict=True
        ):
            setting: dict[str, object] = dict(batch=batch, px=size, classes=row.num_classes)
            held = None
            if memory and resident is not None:
                held = resident() + peak_bytes(task.run, self.device)
            records.append(
                Record(
                    row.name,
                    row.mode.name,
                    what,
                    setting,
                    params,
                    passes * flops,
                    seconds[name],
                    None if row.mode.dtype is None else peaks.get(row.mode.dtype),
                    held,
                    kernel_launches(task.run) if self.device.type == 'cuda' else None,
                    self._operators(row, task),
                )
            )
        return records

    def _operators(self, row: Row, task: Task) -> list[Operator]:
        """Profile a task, if the options say so and torch runs it."""
        if not self.options.profile or row.mode.onnx:
            return []
        return top_operators(task.run, self.options.profile, self.device)

    def _time(
        self, rows: Sequence[Row], tasks: Mapping[str, Task]
    ) -> tuple[dict[str, list[float]], dict[torch.dtype, float]]:
        """Time the tasks, and matrix products in their types in the same rounds."""
        dtypes = dict.fromkeys(row.mode.dtype for row in rows if row.mode.dtype is not None)
        products = {dtype: matmul_task(dtype, self.device) for dtype in dtypes}
        options = self.options
        seconds = measure(
            {**tasks, **{str(dtype): task for dtype, (task, _) in products.items()}},
            options.rounds,
            options.min_seconds,
            options.warmup,
            options.synchronize,
        )
        return seconds, {
            dtype: flops / median(seconds[str(dtype)]) for dtype, (_, flops) in products.items()
        }
