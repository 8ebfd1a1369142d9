"""Plots of time and memory against the size of the work."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from _table import Record


def growing(records: Sequence[Record]) -> str:
    """Find the one setting that takes several values.

    Raises:
        ValueError: No setting does, or more than one.
    """
    names = [
        name
        for name in (records[0].setting if records else {})
        if len({record.setting[name] for record in records}) > 1
    ]
    if len(names) != 1:
        raise ValueError(
            'a plot needs exactly one setting with several values, got '
            f'{", ".join(names) or "none"}'
        )
    return names[0]


def plot_growth(records: Sequence[Record], path: str | Path) -> None:
    """Draw time and memory of a call against the setting that grows, both axes logarithmic.

    Args:
        records: Records in which one setting takes several values, for example the batch.
        path: Picture to write.

    Raises:
        ValueError: No setting grows, or more than one does.
    """
    from matplotlib.figure import Figure

    axis = growing(records)
    lines: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        lines.setdefault((f'{record.name} {record.mode}', record.what), []).append(record)
    works = list(dict.fromkeys(record.what for record in records))
    figure = Figure(figsize=(5 * len(works), 7), layout='constrained')
    grid = figure.subplots(2, len(works), squeeze=False)
    for (label, what), points in lines.items():
        for row, unit, values in (
            (0, 'ms', [1000 * median(p.seconds) if p.seconds else None for p in points]),
            (1, 'MiB', [None if p.memory is None else p.memory / 2**20 for p in points]),
        ):
            axes = grid[row, works.index(what)]
            at = [
                (int(str(p.setting[axis])), y)
                for p, y in zip(points, values, strict=True)
                if y is not None
            ]
            axes.plot([x for x, _ in at], [y for _, y in at], marker='o', label=label)
            axes.set(xscale='log', yscale='log', xlabel=axis, ylabel=unit, title=what)
            axes.set_xticks([x for x, _ in at], labels=[str(x) for x, _ in at])
            axes.minorticks_off()
    grid[0, 0].legend(fontsize='small')
    figure.savefig(path, dpi=100)
