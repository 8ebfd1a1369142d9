"""Time ``MultiLabelMetric`` against scikit-learn: ``evaluation.py [--images N]``."""

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from _timing import Task

    from mmmsf.evaluation import MultiLabelMetric

SKLEARN = 'average_precision_score, macro'
PROCESS = 'MultiLabelMetric.process, all batches'
EVALUATE = 'MultiLabelMetric.evaluate, everything'
BOTH = 'process + evaluate'
POSITIVE_RATE = 2.9 / 80  # labels of a COCO image over classes


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Time and memory of everything MultiLabelMetric computes (mAP, size-aware '
        "mAP, thresholds, top-3, tables of the classes), as a ratio to scikit-learn's "
        'average_precision_score alone, macro over the classes, on the same random scores.'
    )
    parser.add_argument(
        '--images', type=int, default=40504, help='default: %(default)s, those of COCO val2014'
    )
    parser.add_argument('--classes', type=int, default=80, help='default: %(default)s')
    parser.add_argument(
        '--batch-size', type=int, default=64, help='images a call of process (default: %(default)s)'
    )
    parser.add_argument('--rounds', type=int, default=9, help='default: %(default)s')
    parser.add_argument('--seed', type=int, default=0, help='default: %(default)s')
    args = parser.parse_args()
    for name in ('images', 'classes', 'batch_size', 'rounds'):
        if getattr(args, name) < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1')
    return args


def make_samples(
    num_images: int, num_classes: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int8], list[dict[str, Any]]]:
    """Draw scores (N, K) in 0 to 1 and targets (N, K), as arrays and as the runner's samples.

    Every class has a positive, every positive an area between 8^2 and 256^2 px^2.
    """
    import torch

    rng = np.random.default_rng(seed)
    shape = (num_images, num_classes)
    targets = (rng.random(shape, dtype=np.float32) < POSITIVE_RATE).astype(np.int8)
    targets[rng.integers(num_images, size=num_classes), np.arange(num_classes)] = 1
    logits = rng.standard_normal(shape, dtype=np.float32) + 3 * targets - 3
    scores = (1 / (1 + np.exp(-logits))).astype(np.float32)
    areas = np.where(targets == 1, rng.uniform(8, 256, shape) ** 2, np.nan).astype(np.float32)
    samples = [
        dict(
            pred_score=torch.from_numpy(scores[i]),
            gt_score=torch.from_numpy(targets[i]),
            gt_area=areas[i],
            sample_idx=i,
        )
        for i in range(num_images)
    ]
    return scores, targets, samples


def held_bytes(metric: 'MultiLabelMetric') -> int:
    """Count the bytes that the arrays in ``metric.results`` keep alive, views by their owner."""
    arrays = [column for rows in metric.results for column in rows]
    return sum(max(array.nbytes, getattr(array.base, 'nbytes', 0)) for array in arrays)


def make_tasks(args: argparse.Namespace) -> tuple[dict[str, 'Task'], int]:
    """Make the timed tasks, and count the bytes that the metric holds after the last batch."""
    from _timing import Task
    from sklearn.metrics import average_precision_score

    from mmmsf.evaluation import MultiLabelMetric

    scores, targets, samples = make_samples(args.images, args.classes, args.seed)
    metric = MultiLabelMetric()
    metric.dataset_meta = dict(classes=[f'class {k}' for k in range(args.classes)])

    def process() -> None:
        for start in range(0, len(samples), args.batch_size):
            metric.process(None, samples[start : start + args.batch_size])

    process()
    rows = list(metric.results)
    held = held_bytes(metric)
    return {
        SKLEARN: Task(lambda: average_precision_score(targets, scores, average='macro')),
        PROCESS: Task(process, metric.results.clear),
        EVALUATE: Task(
            lambda: metric.evaluate(args.images),
            lambda: metric.results.__setitem__(slice(None), rows),
        ),
    }, held


def print_results(args: argparse.Namespace, seconds: dict[str, list[float]], held: int) -> None:
    """Print the times, their ratios round by round and the bytes as a table."""
    from _timing import Spread

    seconds = {
        **seconds,
        BOTH: [a + b for a, b in zip(seconds[PROCESS], seconds[EVALUATE], strict=True)],
    }
    print(
        f'{args.images} images x {args.classes} classes in batches of {args.batch_size}, '
        f'{args.rounds} rounds: median [quartiles]\n'
    )
    print('| | s | ratio to scikit-learn |\n|---|---|---|')
    for name, values in seconds.items():
        ratio = Spread.of([a / b for a, b in zip(values, seconds[SKLEARN], strict=True)])
        print(f'| {name} | {Spread.of(values)} | {ratio} |')
    print(
        f'\nheld by MultiLabelMetric.results: {held / 1e6:.2f} MB, '
        f'{held / args.images / args.classes:.2f} bytes a score'
    )


def main() -> None:
    args = parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from _cli import harden

    harden()
    import torch
    from _machine import describe_run, versions
    from _timing import measure
    from mmengine.logging import MMLogger

    torch.set_num_threads(1)
    # The tables of every round are made but not logged.
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    argv = ['python', f'tools/benchmark/{Path(__file__).name}', *sys.argv[1:]]
    print(describe_run(argv, 'cpu') + f'\n{versions(("numpy", "sklearn"))}', flush=True)
    tasks, held = make_tasks(args)
    seconds = measure(tasks, args.rounds)
    logger.setLevel(level)
    print_results(args, seconds, held)


if __name__ == '__main__':
    main()
