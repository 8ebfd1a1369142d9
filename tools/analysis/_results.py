"""Results of many training runs, and the tables that compare them."""

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median, stdev

from mmengine.config import Config

from mmmsf.utils.atomic_file import write_atomically

# `mAP` has the flavour of the config's metric, by default the area; both flavours are printed.
METRICS = ('mAP', 'mAP_small', 'mAP_medium', 'mAP_large', 'CF1', 'OF1', 'mAP_voc')
HEADER = (
    *('row', 'mAP', 'to first', 'small', 'medium', 'large', 'CF1', 'OF1', 'mAP_voc'),
    *('parameters', 'GFLOPs', 's/epoch', 'seeds'),
)


@dataclass(frozen=True)
class Result:
    """Outcome of one run.

    Attributes:
        row: Name of its table row.
        seed: Seed of the run.
        metrics: Percentages after the last epoch; a size without positives has none.
        params: Parameters of the model.
        gflops: 1e9 floating-point operations an image; a multiply-add counts as two.
        epoch_seconds: Median over the epochs of the seconds spent in training iterations.
        config_hash: Digest of the config, see :func:`config_hash`.
    """

    row: str
    seed: int
    metrics: dict[str, float]
    params: int
    gflops: float
    epoch_seconds: float
    config_hash: str

    def save(self, path: Path) -> None:
        """Write as JSON, atomically."""
        write_atomically(path, (json.dumps(asdict(self), indent=2) + '\n').encode())

    @classmethod
    def load(cls, path: Path) -> 'Result':
        """Read a file that :meth:`save` wrote."""
        return cls(**json.loads(path.read_text(encoding='utf-8')))


def config_hash(cfg: Config) -> str:
    """Return a digest of a config's content, independent of its file and the order of its keys."""
    text = json.dumps(cfg.to_dict(), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def epoch_seconds(run_dir: Path) -> float:
    """Return the median training time per epoch of a run, from the scalars that MMEngine logs.

    Raises:
        ValueError: The run has logged none.
    """
    epochs: dict[int, list[float]] = {}
    last_iter: dict[int, int] = {}
    for path in sorted(run_dir.glob('*/vis_data/scalars.json')):
        for line in path.read_text(encoding='utf-8').splitlines():
            scalars = json.loads(line)
            if 'loss' in scalars and 'epoch' in scalars:
                epochs.setdefault(scalars['epoch'], []).append(scalars['time'])
                last_iter[scalars['epoch']] = scalars['iter']
    if not epochs:
        raise ValueError(f'no training scalars under {run_dir}')
    per_epoch = max(last_iter.values()) / max(epochs)
    return median(mean(times) * per_epoch for times in epochs.values())


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Format mean ± sample standard deviation; ``-`` without values, the mean of a single one."""
    if not values:
        return '-'
    text = f'{mean(values):.{digits}f}'
    return text if len(values) == 1 else f'{text} ± {stdev(values):.{digits}f}'


def _difference(runs: Sequence[Result], first: Sequence[Result]) -> str:
    """Format the mAP differences between runs of equal seeds."""
    reference = {run.seed: run.metrics['mAP'] for run in first}
    paired = [run.metrics['mAP'] - reference[run.seed] for run in runs if run.seed in reference]
    return spread(paired) if runs is not first and paired else ''


def _markdown(columns: Iterable[str]) -> str:
    return f'| {" | ".join(columns)} |'


def markdown_table(results: Iterable[Result]) -> str:
    """Format one line a row: mean ± sample standard deviation over its seeds.

    The column "to first" has the paired differences in mAP to the first row, seed by seed.
    """
    rows: dict[str, list[Result]] = {}
    for result in results:
        rows.setdefault(result.row, []).append(result)
    first = next(iter(rows.values()), [])
    lines = [_markdown(HEADER), '|---' * len(HEADER) + '|']
    for name, runs in rows.items():
        metrics = [
            spread([run.metrics[key] for run in runs if run.metrics.get(key) is not None])
            for key in METRICS
        ]
        metrics.insert(1, _difference(runs, first))
        cost = (f'{runs[0].params:,}', f'{runs[0].gflops:.3g}')
        seconds = spread([run.epoch_seconds for run in runs], 1)
        seeds = ', '.join(str(run.seed) for run in runs)
        lines.append(_markdown([name, *metrics, *cost, seconds, seeds]))
    return '\n'.join(lines) + '\n'


def write_csv(results: Iterable[Result], path: Path) -> None:
    """Write one line a run, unrounded."""
    costs = ('params', 'gflops', 'epoch_seconds', 'config_hash')
    with open(path, 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['row', 'seed', *METRICS, *costs])
        for run in results:
            metrics = (run.metrics.get(key, '') for key in METRICS)
            writer.writerow([run.row, run.seed, *metrics, *(getattr(run, key) for key in costs)])
