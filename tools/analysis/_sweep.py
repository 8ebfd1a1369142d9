"""Training runs that share a folder, several side by side."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from _complexity import count_complexity, input_size
from _grid import Row
from _results import Result, config_hash, epoch_seconds, markdown_table, write_csv

from mmmsf.checkpoint.loading import build_model

TRAIN = Path(__file__).resolve().parents[1] / 'train.py'
STARTED = 'config_hash.txt'  # of a run, beside its config.py


class Sweep:
    """Train rows with several seeds in ``<work dir>/<row>/seed<N>``.

    Args:
        rows: Rows of the table.
        args: Arguments of ``ablate.py``.
        finish: Called with row and folder of each run that ends well.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        args: argparse.Namespace,
        finish: Callable[[Row, Path], None] | None = None,
    ) -> None:
        self.rows = rows
        self.args = args
        self.finish = finish
        self.root = Path(args.work_dir)
        self.children: list[subprocess.Popen] = []
        self.stopped = False

    def run_dir(self, row: Row, seed: int) -> Path:
        """Return the folder of one run."""
        return self.root / row.name.replace(' ', '_').replace('/', '-') / f'seed{seed}'

    def finished(self, row: Row, seed: int) -> Result | None:
        """Return the result of an earlier call, ``None`` where there is none.

        Raises:
            ValueError: The result, or a run without one, belongs to another config.
        """
        path = self.run_dir(row, seed) / 'result.json'
        if not path.exists():
            started = path.with_name(STARTED)  # the training changes config.py
            known = started.read_text() if started.exists() else None
            if path.with_name('config.py').exists() and known != config_hash(row.cfg):
                raise ValueError(
                    f'{path.parent} has a started run of another config'
                    f'{"" if known else " or an earlier version"}; name another --work-dir or '
                    'remove it'
                )
            return None
        result = Result.load(path)
        if result.config_hash != config_hash(row.cfg):
            raise ValueError(
                f'{path} is the result of another config; name another --work-dir or remove it'
            )
        return result

    def command(self, run_dir: Path, seed: int) -> list[str]:
        """Return the command that trains one run or resumes it."""
        start, launcher = [sys.executable], []
        if self.args.gpus_per_run > 1:
            processes = f'--nproc_per_node={self.args.gpus_per_run}'
            start += ['-m', 'torch.distributed.run', '--standalone', processes]
            launcher = ['--launcher', 'pytorch']
        options = ['--work-dir', str(run_dir), '--seed', str(seed), '--resume', *launcher]
        return [*start, str(TRAIN), str(run_dir / 'config.py'), *options]

    def environment(self, job: int) -> dict[str, str]:
        """Return the environment of a job: its threads and its GPUs."""
        env = dict(os.environ)
        if self.args.threads:
            threads = str(self.args.threads)
            env.update(OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads)
        if self.args.gpus:
            count = self.args.gpus_per_run
            chosen = (
                self.args.gpus[i % len(self.args.gpus)]
                for i in range(job * count, (job + 1) * count)
            )
            env['CUDA_VISIBLE_DEVICES'] = ','.join(map(str, chosen))
        return env

    def train(self, job: int, row: Row, seed: int) -> str | None:
        """Train one run and write its result; return the end of its log if it fails."""
        if self.stopped:
            return None
        run_dir = self.run_dir(row, seed)
        run_dir.mkdir(parents=True, exist_ok=True)
        (run_dir / STARTED).write_text(config_hash(row.cfg))
        row.cfg.dump(run_dir / 'config.py')
        log = run_dir / 'train.log'
        print(f'{time.strftime("%H:%M:%S")} {row.name}, seed {seed}: {run_dir}', flush=True)
        with open(log, 'a', encoding='utf-8') as file:
            child = subprocess.Popen(
                self.command(run_dir, seed),
                stdout=file,
                stderr=subprocess.STDOUT,
                env=self.environment(job),
            )
            self.children.append(child)
            status = child.wait()
        if status:
            tail = '\n'.join(log.read_text(encoding='utf-8').splitlines()[-5:])
            return f'{row.name}, seed {seed}: exit status {status}, see {log}\n{tail}'
        if self.finish is not None:
            self.finish(row, run_dir)
        self.record(row, seed)
        return None

    def record(self, row: Row, seed: int) -> None:
        """Write ``result.json`` of a finished run."""
        run_dir = self.run_dir(row, seed)
        metrics = json.loads((run_dir / 'val' / 'metrics.json').read_text(encoding='utf-8'))
        model_cfg = row.images or row.cfg
        size = self.args.image_size or input_size(model_cfg)
        cost = count_complexity(build_model(model_cfg), (size[0], size[-1]))
        Result(
            row.name,
            seed,
            metrics,
            cost.total_params,
            cost.total_flops / 1e9,
            epoch_seconds(run_dir),
            config_hash(row.cfg),
        ).save(run_dir / 'result.json')

    def run(self) -> list[str]:
        """Train all runs without a result, seed by seed; return the messages of those that failed.

        The order gives every row a run when the sweep is stopped early.

        Raises:
            ValueError: A result or a started run in the folder belongs to another config.
        """
        todo = [
            (row, seed)
            for seed in self.args.seeds
            for row in self.rows
            if self.finished(row, seed) is None
        ]
        print(
            f'{len(self.rows)} rows, {len(self.args.seeds)} seeds, {len(todo)} runs to do',
            flush=True,
        )
        free: SimpleQueue[int] = SimpleQueue()
        for job in range(self.args.jobs):
            free.put(job)

        def train(row: Row, seed: int) -> str | None:
            job = free.get()
            try:
                return self.train(job, row, seed)
            finally:
                free.put(job)

        with ThreadPoolExecutor(self.args.jobs) as pool:
            jobs = [pool.submit(train, row, seed) for row, seed in todo]
            try:
                return [message for job in jobs if (message := job.result())]
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """Terminate the runs in progress and start no others."""
        self.stopped = True
        for child in self.children:
            if child.poll() is None:
                child.terminate()

    def write_tables(self) -> None:
        """Write and print the results so far."""
        found = [self.finished(row, seed) for row in self.rows for seed in self.args.seeds]
        results = [result for result in found if result is not None]
        self.root.mkdir(parents=True, exist_ok=True)
        table = markdown_table(results)
        (self.root / 'table.md').write_text(table, encoding='utf-8')
        write_csv(results, self.root / 'table.csv')
        print(
            f'\n{table}\n{len(results)} of {len(found)} runs, written to {self.root}/table.md and '
            'table.csv'
        )
