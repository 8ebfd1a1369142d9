"""Train a set of configs with several seeds and compare them in one table.

Two ways: ``ablate.py A.py B.py`` runs each config as it is; with ``--base C.py`` only the lines
that A and B add to their own base count, put on C, and C itself is the first row. Stop it when you
like: the same command goes on where it was.
"""

import argparse
import ast
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.config import DictAction

if TYPE_CHECKING:
    from _sweep import Cell, Result

TOOLS = Path(__file__).resolve().parent.parent


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('configs', nargs='*', help='config files, or folders of them')
    parser.add_argument('--base', help='put the lines of the configs on this one')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument(
        '--work-dir', required=True, help='runs, table.md and table.csv; the same folder resumes'
    )
    parser.add_argument(
        '--grid',
        nargs='+',
        action='append',
        default=[],
        metavar=('KEY', 'VALUE'),
        help='also run every row with each VALUE of the config key KEY',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='overrides for every run',
    )
    parser.add_argument('--jobs', type=int, default=1, help='runs side by side')
    parser.add_argument('--threads', type=int, help='CPU threads of each run')
    parser.add_argument(
        '--gpus', type=int, nargs='+', help='ids of GPUs that the jobs take in turn'
    )
    parser.add_argument(
        '--gpus-per-run', type=int, default=1, help='processes of each run, started by torchrun'
    )
    parser.add_argument(
        '--image-size',
        type=int,
        nargs='+',
        help='height and width for the GFLOPs (default: read from the data)',
    )
    args = parser.parse_args()
    if not args.configs and args.base is None:
        parser.error('name configs, or a --base')
    if args.jobs < 1 or args.gpus_per_run < 1:
        parser.error('--jobs and --gpus-per-run must be at least 1')
    return args


def parse_value(text: str) -> object:
    """A Python literal, or the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def find_configs(names: list[str]) -> list[Path]:
    """The files named and those in the folders named, without ``_base_``."""
    found: list[Path] = []
    for name in names:
        path = Path(name)
        inside = sorted(p for p in path.rglob('*.py') if '_base_' not in p.parts)
        found += inside if path.is_dir() else [path]
    return found


class Sweep:
    """Runs that share a folder: ``<work dir>/<cell>/seed<N>``."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.root = Path(args.work_dir)
        self.children: list[subprocess.Popen] = []
        self.stopped = False

    def run_dir(self, cell: 'Cell', seed: int) -> Path:
        return self.root / cell.name.replace(' ', '_').replace('/', '-') / f'seed{seed}'

    def finished(self, cell: 'Cell', seed: int) -> 'Result | None':
        """The result that is there already; refuse one of another config."""
        from _sweep import Result, config_hash

        path = self.run_dir(cell, seed) / 'result.json'
        if not path.exists():
            return None
        result = Result.load(path)
        if result.config_hash != config_hash(cell.cfg):
            raise SystemExit(
                f'{path} is the result of another config. Name another --work-dir or '
                'remove that folder'
            )
        return result

    def command(self, config: Path, run_dir: Path, seed: int) -> list[str]:
        start = [sys.executable]
        if self.args.gpus_per_run > 1:
            start += [
                '-m',
                'torch.distributed.run',
                '--standalone',
                f'--nproc_per_node={self.args.gpus_per_run}',
            ]
        command = [
            *start,
            str(TOOLS / 'train.py'),
            str(config),
            '--work-dir',
            str(run_dir),
            '--seed',
            str(seed),
            '--resume',
        ]
        return command + (['--launcher', 'pytorch'] if self.args.gpus_per_run > 1 else [])

    def environment(self, job: int) -> dict[str, str]:
        env = dict(os.environ)
        if self.args.threads:
            env.update(
                OMP_NUM_THREADS=str(self.args.threads), MKL_NUM_THREADS=str(self.args.threads)
            )
        if self.args.gpus:
            first = job * self.args.gpus_per_run
            env['CUDA_VISIBLE_DEVICES'] = ','.join(
                str(self.args.gpus[(first + i) % len(self.args.gpus)])
                for i in range(self.args.gpus_per_run)
            )
        return env

    def run(self, job: int, cell: 'Cell', seed: int) -> str | None:
        """Train one; the end of its log if it fails."""
        if self.stopped:
            return None
        run_dir = self.run_dir(cell, seed)
        run_dir.mkdir(parents=True, exist_ok=True)
        config, log = run_dir / 'config.py', run_dir / 'train.log'
        cell.cfg.dump(config)
        print(f'{time.strftime("%H:%M:%S")} {cell.name}, seed {seed}: {run_dir}', flush=True)
        with open(log, 'a', encoding='utf-8') as file:
            child = subprocess.Popen(
                self.command(config, run_dir, seed),
                stdout=file,
                stderr=subprocess.STDOUT,
                env=self.environment(job),
            )
            self.children.append(child)
            code = child.wait()
        if code:
            tail = '\n'.join(log.read_text(encoding='utf-8').splitlines()[-5:])
            return f'{cell.name}, seed {seed}: exit status {code}, see {log}\n{tail}'
        self.record(cell, seed)
        return None

    def record(self, cell: 'Cell', seed: int) -> None:
        """Write ``result.json`` of a run that has ended."""
        import json

        from _complexity import count_complexity, input_size
        from _sweep import Result, config_hash, epoch_seconds

        from mmmsf.checkpoint.loading import build_model

        run_dir = self.run_dir(cell, seed)
        metrics = json.loads((run_dir / 'val' / 'metrics.json').read_text(encoding='utf-8'))
        size = self.args.image_size or input_size(cell.cfg)
        cost = count_complexity(build_model(cell.cfg), (size[0], size[-1]))
        Result(
            cell.name,
            seed,
            metrics,
            cost.total_params,
            cost.total_flops / 1e9,
            epoch_seconds(run_dir),
            config_hash(cell.cfg),
        ).save(run_dir / 'result.json')

    def stop(self) -> None:
        self.stopped = True
        for child in self.children:
            if child.poll() is None:
                child.terminate()


def write_tables(sweep: Sweep, cells: list['Cell'], seeds: list[int]) -> None:
    """Write what is there so far."""
    from _sweep import markdown_table, write_csv

    found = [sweep.finished(cell, seed) for cell in cells for seed in seeds]
    results = [result for result in found if result is not None]
    sweep.root.mkdir(parents=True, exist_ok=True)
    table = markdown_table(results)
    (sweep.root / 'table.md').write_text(table, encoding='utf-8')
    write_csv(results, sweep.root / 'table.csv')
    print(
        f'\n{table}\n{len(results)} of {len(found)} runs, written to {sweep.root}/table.md and '
        'table.csv'
    )


def main() -> None:
    args = parse_args()
    sys.path.insert(0, str(TOOLS))
    from _cli import harden

    harden()

    from _sweep import make_cells

    import mmmsf  # noqa: F401  checks the frameworks and registers the components

    grid = {key: [parse_value(value) for value in values] for key, *values in args.grid}
    try:
        cells = make_cells(find_configs(args.configs), args.base, grid, args.cfg_options)
    except (OSError, ValueError) as error:
        raise SystemExit(f'ablate.py: {error}') from error
    sweep = Sweep(args)
    # Seed by seed, so that a table that is stopped early has every row.
    todo = [
        (cell, seed) for seed in args.seeds for cell in cells if sweep.finished(cell, seed) is None
    ]
    print(f'{len(cells)} rows, {len(args.seeds)} seeds, {len(todo)} runs to do', flush=True)
    with ThreadPoolExecutor(args.jobs) as pool:
        jobs = [
            pool.submit(sweep.run, i % args.jobs, cell, seed) for i, (cell, seed) in enumerate(todo)
        ]
        try:
            failures = [job.result() for job in jobs]
        except BaseException:
            sweep.stop()
            raise
    write_tables(sweep, cells, args.seeds)
    failed = [text for text in failures if text]
    if failed:
        raise SystemExit('\n\n'.join(['these runs failed:', *failed]))


if __name__ == '__main__':
    main()
