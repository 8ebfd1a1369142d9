"""Time the start of ``CocoMultiLabel`` against pycocotools: ``coco_startup.py``."""

import argparse
import contextlib
import gc
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

PEER, FIRST, SECOND = 'pycocotools COCO(path)', 'CocoMultiLabel, first', 'CocoMultiLabel, second'
SIDES = (PEER, FIRST, SECOND)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Time and memory of reading a train file of the size of COCO 2014 (random, '
        'with outlines): by pycocotools alone, by CocoMultiLabel the first time and the second '
        'time, when it finds its cache. Every start is a fresh process that has imported '
        'everything and read the file once, so that it lies in memory; the three take turns.'
    )
    parser.add_argument('--images', type=int, default=82_783, help='default: %(default)s')
    parser.add_argument('--instances', type=int, default=604_907, help='default: %(default)s')
    parser.add_argument('--rounds', type=int, default=5, help='default: %(default)s')
    parser.add_argument('--seed', type=int, default=0, help='default: %(default)s')
    parser.add_argument(
        '--work-dir',
        help='where the file and the cache are made and stay (default: a temporary folder)',
    )
    parser.add_argument('--start', choices=SIDES, help=argparse.SUPPRESS)  # in the processes
    args = parser.parse_args()
    if args.rounds < 1 or args.images < 1 or args.instances < args.images:
        parser.error('--rounds and --images must be at least 1, --instances at least --images')
    return args


def resident_bytes() -> int:
    """Return the resident memory of this process (Linux)."""
    pages = int(Path('/proc/self/statm').read_text(encoding='ascii').split()[1])
    return pages * resource.getpagesize()


def array_bytes(dataset: Any) -> int:
    """Count the bytes of the arrays that hold a dataset's annotations."""
    items = dataset.data_list
    arrays = [value for value in vars(items.table).values() if hasattr(value, 'nbytes')]
    return items.rows.nbytes + sum(array.nbytes for array in arrays)


def start(side: str, folder: Path) -> dict[str, float]:
    """Measure one start in this process."""
    from pycocotools.coco import COCO

    from mmmsf.datasets import CocoMultiLabel

    path = folder / 'instances.json'
    with open(path, 'rb') as file:
        while file.read(1 << 20):
            pass
    gc.collect()
    before, began = resident_bytes(), time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        loaded = (
            COCO(str(path))
            if side == PEER
            else CocoMultiLabel(str(path), data_prefix='images', cache_dir=str(folder / 'cache'))
        )
    seconds = time.perf_counter() - began
    gc.collect()
    held = 0 if side == PEER else array_bytes(loaded)
    return dict(
        seconds=seconds,
        grown=resident_bytes() - before,
        held=held,
        peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before,
    )


def run_rounds(folder: Path, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Run the sides in turns, each in a process of its own."""
    found: dict[str, dict[str, list[float]]] = {side: defaultdict(list) for side in SIDES}
    for _ in range(rounds):
        for file in (folder / 'cache').glob('*.npz'):
            file.unlink()
        for side in SIDES:
            run = subprocess.run(
                [sys.executable, __file__, '--start', side, '--work-dir', str(folder)],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            for key, value in json.loads(run.stdout.splitlines()[-1]).items():
                found[side][key].append(value)
    return found


def print_results(found: dict[str, dict[str, list[float]]]) -> None:
    """Print times, their ratios round by round and the memory as a table."""
    from _timing import Spread

    def ratio(side: str, to: str) -> Spread:
        return Spread.of(
            [a / b for a, b in zip(found[side]['seconds'], found[to]['seconds'], strict=True)]
        )

    def megabytes(values: list[float]) -> Spread:
        return Spread.of([value / 1e6 for value in values])

    print(
        '| start | s | ratio to pycocotools | ratio to the first | MB in arrays | MB grown | '
        'MB at the peak |\n|---|---|---|---|---|---|---|'
    )
    for side, values in found.items():
        arrays = '' if side == PEER else f'{values["held"][-1] / 1e6:.2f}'
        print(
            f'| {side} | {Spread.of(values["seconds"])} | {ratio(side, PEER)} | '
            f'{ratio(side, FIRST)} | {arrays} | {megabytes(values["grown"])} | '
            f'{megabytes(values["peak"])} |'
        )
    print(
        '\nMB in arrays: nbytes of what the dataset keeps. MB grown, at the peak: resident '
        'memory of the process after the start and gc.collect(), and at its highest, less that '
        'before the start.'
    )


def main() -> None:
    args = parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    if args.start:
        print(json.dumps(start(args.start, Path(args.work_dir))))
        return
    from _coco_like import write_coco_like
    from _machine import describe_run

    argv = ['python', f'tools/benchmark/{Path(__file__).name}', *sys.argv[1:]]
    print(
        f'{describe_run(argv, "cpu")}\nnumpy {version("numpy")}, pycocotools '
        f'{version("pycocotools")}',
        flush=True,
    )
    with contextlib.ExitStack() as stack:
        folder = Path(args.work_dir or stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / 'instances.json'
        write_coco_like(path, args.images, args.instances, args.images * 702 // 82_783, args.seed)
        print(
            f'{args.images} images, {args.instances} instances, {path.stat().st_size / 1e6:.0f} '
            f'MB of json; {args.rounds} rounds: median [quartiles]\n',
            flush=True,
        )
        print_results(run_rounds(folder, args.rounds))


if __name__ == '__main__':
    main()
