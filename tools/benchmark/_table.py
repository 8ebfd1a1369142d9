"""Tables of measured times and memory."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from _profile import Operator
from _timing import Spread, digits


@dataclass(frozen=True)
class Record:
    """One line of a table.

    Attributes:
        name: Name of the model.
        mode: Name of the runtime.
        what: ``inference`` or ``train``.
        setting: Values that compared records share, such as batch and size.
        params: Number of parameters.
        flops: Floating-point operations of one call.
        seconds: Seconds of a call, round by round; empty if not timed.
        peak: The machine's floating-point operations a second, None if not measured.
        memory: Peak memory in bytes, None if not measured.
        launches: Kernels that one call launches on a GPU, None if not counted.
        operators: Operators or kernels of one call that take most time, if profiled.
    """

    name: str
    mode: str
    what: str
    setting: dict[str, object]
    params: int
    flops: float
    seconds: list[float] = field(default_factory=list)
    peak: float | None = None
    memory: int | None = None
    launches: int | None = None
    operators: list[Operator] = field(default_factory=list)

    @property
    def key(self) -> tuple[object, ...]:
        """Key that compared records share."""
        return self.what, *self.setting.values()

    @property
    def flops_per_second(self) -> float | None:
        """Floating-point operations a second of the median call."""
        return self.flops / median(self.seconds) if self.seconds else None

    @property
    def images_per_second(self) -> float | None:
        """Images a second of the median call."""
        batch = self.setting.get('batch')
        return int(str(batch)) / median(self.seconds) if self.seconds and batch else None

    @property
    def share_of_peak(self) -> float | None:
        """Speed of the median call over the machine's, 0 to 1."""
        rate = self.flops_per_second
        return None if rate is None or not self.peak else rate / self.peak


def time_ratio(record: Record, first: Record) -> Spread | None:
    """Divide times by the first record's, round by round, so that the load of both cancels."""
    if not record.seconds or not first.seconds:
        return None
    return Spread.of([a / b for a, b in zip(record.seconds, first.seconds, strict=True)])


def _firsts(records: Iterable[Record]) -> dict[tuple[object, ...], Record]:
    firsts: dict[tuple[object, ...], Record] = {}
    for record in records:
        firsts.setdefault(record.key, record)
    return firsts


def _cells(record: Record, first: Record) -> dict[str, str]:
    """Format the cells of a table line; not measured values are empty."""
    ratio, share = time_ratio(record, first), record.share_of_peak
    rate = record.images_per_second
    memory, other = record.memory, first.memory
    return {
        'model': record.name,
        'mode': record.mode,
        'what': record.what,
        **{name: str(value) for name, value in record.setting.items()},
        'parameters': f'{record.params / 1e6:.1f} M',
        'GFLOP': digits(record.flops / 1e9),
        'ms': str(Spread.of([1000 * x for x in record.seconds])) if record.seconds else '',
        'images/s': '' if rate is None else digits(rate),
        'time ratio': '' if ratio is None else str(ratio),
        'of peak': '' if share is None else f'{share:.0%}',
        'MiB': '' if memory is None else f'{memory / 2**20:,.0f}',
        'memory ratio': '' if memory is None or not other else f'{memory / other:.2f}',
        'launches': '' if record.launches is None else str(record.launches),
    }


def markdown_table(records: Sequence[Record]) -> str:
    """Format one line a record; columns that no record fills are left out.

    ``ms`` and ``time ratio`` are medians with quartiles. The ratios are to the first record of
    the same work and setting.
    """
    firsts = _firsts(records)
    rows = [_cells(record, firsts[record.key]) for record in records]
    columns = [name for name in (rows[0] if rows else {}) if any(row[name] for row in rows)]
    lines = ['| ' + ' | '.join(columns) + ' |', '|---' * len(columns) + '|']
    lines += ['| ' + ' | '.join(row[name] or '-' for name in columns) + ' |' for row in rows]
    return '\n'.join(lines) + '\n'


def operator_table(record: Record) -> str:
    """Format the operators of a profiled record, the slowest first."""
    setting = ', '.join(f'{name} {value}' for name, value in record.setting.items())
    title = f'{record.name}, {record.mode}, {record.what}, {setting}'
    lines = [f'| {title} | calls | ms | share |', '|---|---|---|---|']
    lines += [
        f'| `{one.name[:80]}` | {one.calls} | {digits(1000 * one.seconds)} | {one.share:.0%} |'
        for one in record.operators
    ]
    return '\n'.join(lines) + '\n'


def write_csv(records: Sequence[Record], path: str | Path) -> None:
    """Write one line a record, unrounded; the seconds of the rounds in one cell."""
    firsts = _firsts(records)
    settings = list(records[0].setting) if records else []
    with open(path, 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                'model',
                'mode',
                'what',
                *settings,
                'params',
                'flops',
                'median_seconds',
                'images_per_second',
                'time_ratio',
                'share_of_peak',
                'memory_bytes',
                'launches',
                'seconds',
            ]
        )
        for one in records:
            ratio = time_ratio(one, firsts[one.key])
            writer.writerow(
                [
                    one.name,
                    one.mode,
                    one.what,
                    *one.setting.values(),
                    one.params,
                    one.flops,
                    median(one.seconds) if one.seconds else '',
                    '' if one.images_per_second is None else one.images_per_second,
                    '' if ratio is None else ratio.median,
                    '' if one.share_of_peak is None else one.share_of_peak,
                    '' if one.memory is None else one.memory,
                    '' if one.launches is None else one.launches,
                    ' '.join(map(repr, one.seconds)),
                ]
            )
