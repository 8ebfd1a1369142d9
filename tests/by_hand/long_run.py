"""Memory of a long training: ``python tests/by_hand/long_run.py [--minutes 60] [--out FILE.csv]``.

Trains and validates on the digits, samples the memory and the open files of every process (Linux:
/proc), then sends SIGINT and lists the processes that are still running. Memory is the anonymous
memory in MiB (the resident size also depends on other users of the same libraries). The first
fifth of the time is warm-up; growth is the difference between the medians of the last fifth and
those of the second.
"""

import argparse
import csv
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/msf/msf_resnet18_1xb16-10e_digits-64px.py'


def descendants(pid: int) -> list[int]:
    """List the process and its descendants, oldest first."""
    found = [pid]
    for parent in found:
        try:
            for task in Path(f'/proc/{parent}/task').iterdir():
                found += [int(child) for child in (task / 'children').read_text().split()]
        except OSError:  # it has ended
            continue
    return found


def sample(pid: int) -> dict[str, float] | None:
    """Measure memory in MiB and open files of a process; None if it has ended."""
    try:
        lines = Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines()
        kib = next(int(line.split()[1]) for line in lines if line.startswith('Anonymous:'))
        return dict(memory=kib / 1024, files=len(os.listdir(f'/proc/{pid}/fd')))
    except (OSError, StopIteration):
        return None


def watch(process: subprocess.Popen, minutes: float, every: float) -> list[dict[str, float]]:
    """Sample rows of (minute, role, memory, files); role 0 is the main process, n a child."""
    rows: list[dict] = []
    start = time.monotonic()
    while process.poll() is None and (minute := (time.monotonic() - start) / 60) < minutes:
        for role, pid in enumerate(descendants(process.pid)):
            seen = sample(pid)
            if seen is not None:
                rows.append(dict(minute=round(minute, 3), role=role, pid=pid, **seen))
        time.sleep(every)
    return rows


def growth(rows: list[dict], minutes: float) -> list[str]:
    """Format a Markdown line per role: medians of the second and of the last fifth."""
    lines = [
        '| process | memory, MiB | later | growth | open files | later |',
        '|---|---|---|---|---|---|',
    ]
    for role in sorted({row['role'] for row in rows}):
        early, late = (
            [
                row
                for row in rows
                if row['role'] == role and low <= row['minute'] / minutes < low + 0.2
            ]
            for low in (0.2, 0.8)
        )
        if not early or not late:
            continue
        memory, files = (
            [statistics.median(row[key] for row in part) for part in (early, late)]
            for key in ('memory', 'files')
        )
        name = 'main' if role == 0 else f'child {role}'
        lines.append(
            f'| {name} | {memory[0]:.1f} | {memory[1]:.1f} | '
            f'{100 * (memory[1] / memory[0] - 1):+.1f} % | {files[0]:g} | {files[1]:g} |'
        )
    return lines


def _enable_sigint() -> None:
    """Restore the handler, which a shell disables for its background processes."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--minutes', type=float, default=60)
    parser.add_argument('--every', type=float, default=5, help='seconds between two samples')
    parser.add_argument('--out', help='write every sample to this CSV file')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / 'train.log'
        command = [
            sys.executable,
            str(ROOT / 'tools/train.py'),
            str(CONFIG),
            '--work-dir',
            f'{folder}/run',
            '--cfg-options',
            'train_cfg.max_epochs=100000',
            'param_scheduler.end=100000',
            'train_dataloader.num_workers=2',
            *[
                f'{split}_dataloader.dataset.num_images.{part}={count}'
                for split in ('train', 'val', 'test')
                for part, count in (('train', 640), ('val', 160))
            ],
        ]
        with open(log, 'w', encoding='utf-8') as file:
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=dict(os.environ, OMP_NUM_THREADS='1'),
                preexec_fn=_enable_sigint,
            )
            rows = watch(process, args.minutes, args.every)
            if process.poll() is not None:
                raise SystemExit(f'the training ended early:\n{log.read_text()[-2000:]}')
            print('\n'.join(growth(rows, args.minutes)), flush=True)
            if args.out:
                with open(args.out, 'w', encoding='utf-8', newline='') as table:
                    writer = csv.DictWriter(table, list(rows[0]))
                    writer.writeheader()
                    writer.writerows(rows)
            family = descendants(process.pid)
            process.send_signal(signal.SIGINT)
            sent = time.monotonic()
            code = process.wait(120)
            seconds = time.monotonic() - sent
            time.sleep(2)
            left = [pid for pid in family if Path(f'/proc/{pid}').exists()]
        epochs = log.read_text(encoding='utf-8').count('Epoch(val)')
        print(
            f'\n{epochs} lines of validation in {args.minutes:g} minutes; after Ctrl-C exit '
            f'status {code} in {seconds:.1f} s; processes left: {left}'
        )
    raise SystemExit(bool(left))


if __name__ == '__main__':
    main()
