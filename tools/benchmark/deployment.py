"""Photographs per second of exported models: ``deployment.py MODEL.onnx... --images FOLDER``.

The way is from an image file to the labels above their thresholds, through
``mmmsf/deploy/onnx_classifier.py`` alone. Files come from the page cache after the first round.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if TYPE_CHECKING:
    from mmmsf.deploy.onnx_classifier import OnnxClassifier

SUFFIXES = ('.jpg', '.jpeg', '.png')


@dataclass
class Times:
    """Seconds of each round for all photographs: elapsed, and of the processors."""

    wall: list[float]
    cpu: list[float]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('models', nargs='+', metavar='MODEL', help='.onnx files')
    parser.add_argument('--images', required=True, type=Path, metavar='DIR', help='photographs')
    parser.add_argument('--num-images', type=int, default=200, help='default: %(default)s')
    parser.add_argument('--rounds', type=int, default=5, help='default: %(default)s')
    parser.add_argument(
        '--threads', type=int, default=1, help='threads of the network (default: %(default)s)'
    )
    parser.add_argument(
        '--workers', type=int, default=2, help='images at once (default: %(default)s)'
    )
    args = parser.parse_args()
    for name in ('num_images', 'rounds', 'threads', 'workers'):
        if getattr(args, name) < 1:
            parser.error(
                f'--{name.replace("_", "-")} must be at least 1, got {getattr(args, name)}'
            )
    return args


def ways(classifier: 'OnnxClassifier', files: list[Path], workers: int) -> dict[str, Callable]:
    """Return the ways to label the files, and the parts of the way."""
    prepared = [classifier.prepare(file) for file in files[:16]]

    def network() -> None:
        for number in range(len(files)):
            classifier.session.run(None, {'images': prepared[number % len(prepared)]})

    return {
        'read, decode, resize': lambda: [classifier.prepare(file) for file in files],
        'network': network,
        'one after the other': lambda: [classifier(file) for file in files],
        f'predict_many, {workers} workers': lambda: list(classifier.predict_many(files, workers)),
    }


def measure(tasks: dict[tuple[str, str], Callable], rounds: int) -> dict[tuple[str, str], Times]:
    """Time tasks in turns, every second round in reverse order."""
    found = {name: Times([], []) for name in tasks}
    for number in range(rounds):
        for name in list(tasks)[:: -1 if number % 2 else 1]:
            wall, cpu = time.perf_counter(), time.process_time()
            tasks[name]()
            found[name].wall.append(time.perf_counter() - wall)
            found[name].cpu.append(time.process_time() - cpu)
    return found


def main() -> None:
    args = parse_args()

    from _machine import describe_run, load_average, versions
    from _timing import Spread

    from mmmsf.deploy.onnx_classifier import OnnxClassifier

    files = sorted(path for path in args.images.iterdir() if path.suffix.lower() in SUFFIXES)
    files = files[: args.num_images]
    if not files:
        raise SystemExit(f'deployment.py: {args.images} must hold images, got none')
    tasks = {
        (Path(model).name, way): task
        for model in args.models
        for way, task in ways(OnnxClassifier(model, args.threads), files, args.workers).items()
    }
    print(describe_run(['python', *sys.argv], 'cpu') + ' before')
    times = measure(tasks, args.rounds)
    print(f'{versions(("cv2", "PIL", "numpy"))}; load average {load_average()} after')
    print(
        f'\n{len(files)} photographs, {args.rounds} rounds, medians with quartiles; network: '
        f'{args.threads} threads\n\n'
        '| model | bytes | what | photographs/s | CPU ms a photograph |\n|---|---|---|---|---|'
    )
    paths = {Path(model).name: model for model in args.models}
    for (model, way), spent in times.items():
        rate = Spread.of([len(files) / seconds for seconds in spent.wall])
        cpu = Spread.of([1000 * seconds / len(files) for seconds in spent.cpu])
        print(f'| {model} | {os.path.getsize(paths[model]):,} | {way} | {rate} | {cpu} |')


if __name__ == '__main__':
    main()
