"""Time and memory of backbone, neck and head of several configs."""

from collections.abc import Sequence
from dataclasses import dataclass

from _measure import Options
from _part_times import PartTimes, head_peak, part_memory, time_parts
from _rows import Row
from _runtimes import random_batch
from _timing import Spread


@dataclass(frozen=True)
class PartRecord:
    """Time and memory of one model's parts; seconds round by round, bytes."""

    name: str
    setting: dict[str, object]
    inference: list[PartTimes]
    train: list[PartTimes]
    saved: dict[str, int]
    head_peak: int


def measure_parts(rows: Sequence[Row], options: Options, batch: int, size: int) -> list[PartRecord]:
    """Measure backbone, neck and head of every model by themselves, eager, in turns.

    Args:
        rows: Configs to measure; modes are ignored, and a model is measured once.
        options: Options of the measurement.
        batch: Number of images in a call.
        size: Side of the images in pixels.
    """
    rows = list({id(row.model): row for row in rows}.values())
    batches = [random_batch(row.num_classes, batch, (size, size), options.device) for row in rows]
    inference: list[list[PartTimes]] = [[] for _ in rows]
    train: list[list[PartTimes]] = [[] for _ in rows]
    for _ in range(options.warmup + options.rounds):
        for i, (row, (images, samples)) in enumerate(zip(rows, batches, strict=True)):
            model, wait = row.model.to(options.device), options.synchronize
            inference[i].append(time_parts(model.eval(), images, (), wait))
            train[i].append(time_parts(model.train(), images, samples, wait))
    records = []
    for i, (row, (images, samples)) in enumerate(zip(rows, batches, strict=True)):
        setting: dict[str, object] = dict(batch=batch, px=size, classes=row.num_classes)
        records.append(
            PartRecord(
                row.name,
                setting,
                inference[i][options.warmup :],
                train[i][options.warmup :],
                part_memory(row.model, images, samples),
                head_peak(row.model, images, samples),
            )
        )
        row.model.eval()
    return records


def part_table(records: Sequence[PartRecord]) -> str:
    """Format one line a part: medians with quartiles in ms, MiB kept for the backward pass.

    The line of the head also has the peak of neck and head: weights, AdamW's state, activations and
    gradients.
    """
    settings = list(records[0].setting) if records else []
    columns = [
        'model',
        *settings,
        'part',
        'inference ms',
        'training forward ms',
        'backward ms',
        'kept MiB',
        'neck + head peak MiB',
    ]
    lines = ['| ' + ' | '.join(columns) + ' |', '|---' * len(columns) + '|']
    for one in records:
        for part, kept in one.saved.items():
            times = [
                [1000 * x.forward[part] for x in one.inference],
                [1000 * x.forward[part] for x in one.train],
                [1000 * x.backward[part] for x in one.train],
            ]
            peak = f'{one.head_peak / 2**20:,.0f}' if part == 'head' else '-'
            lines.append(
                '| '
                + ' | '.join(
                    [
                        one.name,
                        *map(str, one.setting.values()),
                        part,
                        *(str(Spread.of(values)) for values in times),
                        f'{kept / 2**20:,.1f}',
                        peak,
                    ]
                )
                + ' |'
            )
    return '\n'.join(lines) + '\n'
