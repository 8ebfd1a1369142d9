"""Images per second of the training pipeline: ``pipeline.py FOLDER``."""

import argparse
import itertools
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

CONFIG = Path(__file__).resolve().parents[2] / 'configs/_base_/datasets/coco14_448px.py'
LIBRARIES = ('numpy', 'cv2', 'PIL', 'torchvision')
ENDINGS = ('.jpg', '.jpeg')
SUMS = AUGMENTED, BATCH = 'file to augmented image', 'file to normalised batch'

Step = tuple[str, Callable[[Any], Any]]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='CPU time from the file to the normalised float32 batch, one thread, against '
        'the Pillow and torchvision pipeline that Q2L and ASL use, with the same random '
        'decisions; and where it goes, transform by transform. The normalisation, which training '
        'does on the batch and on its own device, is counted on both sides.'
    )
    parser.add_argument('folder', type=Path, help='JPEG photographs, searched through all levels')
    parser.add_argument(
        '--config',
        type=Path,
        default=CONFIG,
        help='its train_pipeline and data_preprocessor (default: %(default)s)',
    )
    parser.add_argument(
        '--images', type=int, default=128, help='the first so many by name (default: %(default)s)'
    )
    parser.add_argument('--batch-size', type=int, default=16, help='default: %(default)s')
    parser.add_argument('--rounds', type=int, default=7, help='default: %(default)s')
    args = parser.parse_args()
    for name in ('images', 'batch_size', 'rounds'):
        if getattr(args, name) < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1')
    return args


def find_images(folder: Path, number: int) -> list[str]:
    """List the first ``number`` JPEG files below ``folder``; exit if there is none."""
    paths = sorted(str(path) for path in folder.rglob('*') if path.suffix.lower() in ENDINGS)
    if not paths:
        sys.exit(f'{folder} has no file that ends with {" or ".join(ENDINGS)}')
    return paths[:number]


class Pipeline:
    """Steps for an image, then one for the batch, with the CPU seconds of each in each round."""

    def __init__(
        self, steps: Sequence[Step], batch: Step, paths: Sequence[str], batch_size: int
    ) -> None:
        self.steps, self.batch = steps, batch
        self.paths, self.batch_size = paths, batch_size
        self.rounds: list[dict[str, float]] = []
        self.seeds = itertools.count()

    def _timed(self, step: Step, value: Any) -> Any:
        name, function = step
        start = time.process_time()
        value = function(value)
        self.rounds[-1][name] += time.process_time() - start
        return value

    def _image(self, path: str) -> Any:
        """Run the steps on one image, seeded with its number."""
        import numpy as np

        np.random.seed(next(self.seeds))
        value: Any = {'img_path': path, 'gt_label': [0]}
        for step in self.steps:
            value = self._timed(step, value)
        return value

    def run(self) -> None:
        """Run all images once."""
        self.rounds.append(defaultdict(float))
        for start in range(0, len(self.paths), self.batch_size):
            batch = [self._image(path) for path in self.paths[start : start + self.batch_size]]
            self._timed(self.batch, batch)


def build_pipelines(args: argparse.Namespace, paths: Sequence[str]) -> dict[str, Pipeline]:
    """Build the config's pipeline and its counterpart."""
    import torch
    from _cli import load_config
    from _torchvision_pipeline import mirror
    from mmengine.dataset import pseudo_collate
    from mmengine.registry import init_default_scope
    from mmpretrain.registry import MODELS, TRANSFORMS

    init_default_scope('mmpretrain')
    cfg = load_config(args.config)
    transforms = [TRANSFORMS.build(step) for step in cfg.train_pipeline]
    normalise = cfg.data_preprocessor
    preprocessor = MODELS.build(dict(type='ClsDataPreprocessor', **normalise))
    ours = [(type(step).__name__, step) for step in transforms]
    peer = mirror(transforms, normalise.mean, normalise.std)
    return {
        'mmmsf': Pipeline(
            ours,
            ('normalise', lambda batch: preprocessor(pseudo_collate(batch))),
            paths,
            args.batch_size,
        ),
        'Pillow and torchvision': Pipeline(
            peer, ('normalise', torch.stack), paths, args.batch_size
        ),
    }


def sum_up(seconds: dict[str, float]) -> dict[str, float]:
    """Add the sums that are compared to the seconds of one round."""
    total = sum(seconds.values())
    return {
        **seconds,
        AUGMENTED: total - seconds['PackInputs'] - seconds['normalise'],
        BATCH: total,
    }


def print_results(pipelines: dict[str, Pipeline], num_images: int) -> None:
    """Print milliseconds an image by transform and in sum, their ratio, and images per second."""
    from _timing import Spread

    # the first round is the warm-up
    ours, peer = (
        [sum_up(seconds) for seconds in pipeline.rounds[1:]] for pipeline in pipelines.values()
    )
    print('| ms an image | ' + ' | '.join(pipelines) + ' | ratio |\n|---|---|---|---|')
    for name in ours[0]:
        times = [[1e3 * seconds[name] / num_images for seconds in side] for side in (ours, peer)]
        ratio = Spread.of([b / a for a, b in zip(*times, strict=True)]) if name in SUMS else ''
        print(f'| {name} | {Spread.of(times[0])} | {Spread.of(times[1])} | {ratio} |')
    print('\n| images per second and core | ' + ' | '.join(pipelines) + ' |\n|---|---|---|')
    for name in SUMS:
        rates = [
            Spread.of([num_images / seconds[name] for seconds in side]) for side in (ours, peer)
        ]
        print(f'| {name} | {rates[0]} | {rates[1]} |')


def main() -> None:
    args = parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from _cli import harden

    harden()
    paths = find_images(args.folder, args.images)

    import cv2
    import torch
    from _machine import describe_run, versions
    from _timing import Task, measure

    import mmmsf  # noqa: F401  registers the transforms

    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    print(f'{describe_run(["python", *sys.argv], "cpu")}\n{versions(LIBRARIES)}')
    pipelines = build_pipelines(args, paths)
    tasks = {name: Task(pipeline.run) for name, pipeline in pipelines.items()}
    measure(tasks, args.rounds)
    print(
        f'{len(paths)} images in batches of {args.batch_size}, {args.rounds} rounds: '
        'median [quartiles] of CPU time\n'
    )
    print_results(pipelines, len(paths))


if __name__ == '__main__':
    main()
