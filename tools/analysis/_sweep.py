"""Configs, results and tables of many training runs that are compared with each other."""

import ast
import csv
import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from mmengine.config import Config

from mmmsf.checkpoint.config_text import config_from_text
from mmmsf.utils.atomic_file import write_atomically
from mmmsf.utils.config_file import read_config, short_name

METRICS = ('mAP', 'mAP_small', 'mAP_medium', 'mAP_large', 'CF1', 'OF1')


@dataclass(frozen=True)
class Cell:
    """One row of a table: a name and a whole config."""

    name: str
    cfg: Config = field(compare=False)


@dataclass(frozen=True)
class Result:
    """What one run gave.

    Attributes:
        cell: name of its row.
        seed: its seed.
        metrics: percentages after the last epoch; a size without positives has none.
        params: parameters of the model.
        gflops: 1e9 floating-point operations an image; a multiply-add counts as two.
        epoch_seconds: median over the epochs of the seconds spent in training iterations.
        config_hash: of the config it was run with.
    """

    cell: str
    seed: int
    metrics: dict[str, float]
    params: int
    gflops: float
    epoch_seconds: float
    config_hash: str

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        write_atomically(path, (json.dumps(asdict(self), indent=2) + '\n').encode())

    @classmethod
    def load(cls, path: Path) -> 'Result':
        """Read what :meth:`save` wrote."""
        return cls(**json.loads(path.read_text(encoding='utf-8')))


def read_delta(path: str | Path) -> dict[str, Any]:
    """What a config file changes in its base.

    Raises:
        ValueError: the file holds more than literals, so it cannot be put on another base.
    """
    tree = ast.parse(Path(path).read_text(encoding='utf-8'))
    tree.body = [
        line
        for line in tree.body
        if not (isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == '_base_')
        and not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
    ]
    try:
        return config_from_text(ast.unparse(tree)).to_dict()
    except ValueError as error:
        raise ValueError(f'{path} cannot be put on another base: {error}') from error


def make_cells(
    configs: Sequence[str | Path],
    base: str | Path | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    options: Mapping[str, Any] | None = None,
) -> list[Cell]:
    """Make the rows of a table.

    Args:
        configs: config files. With ``base`` only their own lines count, on top of ``base``.
        base: the config they are put on; its own row comes first.
        grid: config keys with the values to try; every row is crossed with every combination.
        options: overrides for all rows.

    Raises:
        FileNotFoundError: there is no such config.
        ValueError: two rows would have one name, or a config cannot be read or does not fit the
            base.
    """
    rows: list[tuple[str, Config]] = []
    if base is not None:
        rows.append((short_name(base), read_config(base)))
    for path in configs:
        cfg = read_config(path if base is None else base)
        if base is not None:
            cfg.merge_from_dict(read_delta(path))
        rows.append((short_name(path), cfg))
    cells = []
    for name, cfg in rows:
        for values in itertools.product(*(grid or {}).values()):
            point = dict(zip(grid or {}, values, strict=True))
            one = Config(cfg.to_dict())
            one.merge_from_dict({**(options or {}), **point})
            label = ' '.join(
                [name, *(f'{key.split(".")[-1]}={value}' for key, value in point.items())]
            )
            cells.append(Cell(label, one))
    names = [cell.name for cell in cells]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f'these rows share a name: {", ".join(twice)}. A row is named by its file '
            "name before the first '_'"
        )
    return cells


def config_hash(cfg: Config) -> str:
    """Digest of a config that does not depend on where it was read from."""
    text = json.dumps(cfg.to_dict(), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def epoch_seconds(run_dir: Path) -> float:
    """Median training time per epoch of a run, from the scalars that MMEngine logs.

    Raises:
        ValueError: there are none.
    """
    epochs: dict[int, list[float]] = {}
    last_iter: dict[int, int] = {}
    for path in sorted(run_dir.glob('*/vis_data/scalars.json')):
        for line in path.read_text(encoding='utf-8').splitlines():
            row = json.loads(line)
            if 'loss' in row and 'epoch' in row:
                epochs.setdefault(row['epoch'], []).append(row['time'])
                last_iter[row['epoch']] = row['iter']
    if not epochs:
        raise ValueError(f'no training scalars under {run_dir}')
    per_epoch = max(last_iter.values()) / max(epochs)
    return median(mean(times) * per_epoch for times in epochs.values())


def _spread(values: Sequence[float], digits: int = 2) -> str:
    if not values:
        return '-'
    text = f'{mean(values):.{digits}f}'
    return text if len(values) == 1 else f'{text} ± {stdev(values):.{digits}f}'


def _difference(results: Sequence[Result], first: Sequence[Result]) -> str:
    """Mean and spread of the mAP differences between runs of equal seeds."""
    reference = {one.seed: one.metrics['mAP'] for one in first}
    paired = [one.metrics['mAP'] - reference[one.seed] for one in results if one.seed in reference]
    return _spread(paired) if results is not first and paired else ''


def markdown_table(results: Iterable[Result]) -> str:
    """One row a cell: mean ± sample standard deviation over its seeds.

    The column "to first" has the paired differences in mAP to the first row, seed by seed.
    """
    cells: dict[str, list[Result]] = {}
    for result in results:
        cells.setdefault(result.cell, []).append(result)
    header = [
        'cell',
        'mAP',
        'to first',
        'small',
        'medium',
        'large',
        'CF1',
        'OF1',
        'parameters',
        'GFLOPs',
        's/epoch',
        'seeds',
    ]
    lines = ['| ' + ' | '.join(header) + ' |', '|---' * len(header) + '|']
    first = next(iter(cells.values()), [])
    for name, runs in cells.items():
        columns = [
            _spread([run.metrics[key] for run in runs if run.metrics.get(key) is not None])
            for key in METRICS
        ]
        columns.insert(1, _difference(runs, first))
        seeds = ', '.join(str(run.seed) for run in runs)
        lines.append(
            '| '
            + ' | '.join(
                [
                    name,
                    *columns,
                    f'{runs[0].params:,}',
                    f'{runs[0].gflops:.3g}',
                    _spread([run.epoch_seconds for run in runs], 1),
                    seeds,
                ]
            )
            + ' |'
        )
    return '\n'.join(lines) + '\n'


def write_csv(results: Iterable[Result], path: Path) -> None:
    """One row a run, unrounded."""
    with open(path, 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['cell', 'seed', *METRICS, 'params', 'gflops', 'epoch_seconds'])
        for one in results:
            writer.writerow(
                [
                    one.cell,
                    one.seed,
                    *(one.metrics.get(key, '') for key in METRICS),
                    one.params,
                    one.gflops,
                    one.epoch_seconds,
                ]
            )
