"""Trial of ways to choose the images to label next, on cached features of a frozen backbone.

Labels of a random start are known; in each round every way chooses further images, whose labels
then are known too, and a linear head on pooled features is fitted and tested. The features are
those that cache_features.py --splits val held wrote.
"""

import argparse
import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.config import DictAction

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden, load_config

if TYPE_CHECKING:
    import numpy as np
    from mmengine.config import Config
    from numpy.typing import NDArray


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config whose training images are the pool')
    parser.add_argument('--features', type=Path, required=True, metavar='DIR')
    parser.add_argument('--ways', nargs='+', metavar='NAME', help='ways to try (default: all)')
    parser.add_argument('--start', type=int, default=200, help='labelled images at the start')
    parser.add_argument('--count', type=int, default=100, help='images that a round adds')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--draws', type=int, default=10, help='random starts')
    parser.add_argument('--min-positives', type=int, default=5, help='of a class of the mean AP')
    parser.add_argument('--out', type=Path, required=True, metavar='FILE.csv')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    return parser.parse_args()


def read(
    cfg: 'Config', split: str, folder: Path
) -> tuple['NDArray[np.floating]', 'NDArray[np.floating]']:
    """Read the pooled last map (N, D) and the labels (N, K) of a split's images."""
    import numpy as np
    from mmengine.registry import DATASETS, DefaultScope

    from mmmsf.datasets.cached_features import image_names
    from mmmsf.datasets.readers.feature_store import FeatureStore

    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(cfg[f'{split}_dataloader'].dataset)
    store = FeatureStore(folder)
    rows, shape = store.rows(image_names(dataset)), store.index.map_shapes[-1]
    (place,) = store.columns(store.index.map_names[-1:])
    pooled = [store.records[row, 0, place].reshape(shape).mean((1, 2), np.float32) for row in rows]
    return np.stack(pooled), dataset.get_gt_labels()


def main() -> None:
    args = parse_args()
    harden()

    import numpy as np
    from _label_choice import WAYS
    from _label_rounds import Trial

    import mmmsf  # noqa: F401  checks the frameworks and registers the components

    cfg = load_config(args.config, args.cfg_options)
    try:
        pool = read(cfg, 'train', args.features / 'held')
        trial = Trial(*pool, *read(cfg, 'val', args.features / 'val'), args.min_positives)
    except (OSError, ValueError) as error:
        raise SystemExit(f'label_choice_trial.py: {error}') from error
    with open(args.out, 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file)
        sizes = [args.start + args.count * k for k in range(args.rounds + 1)]
        writer.writerow(['draw', 'way', *(f'mAP_{size}' for size in sizes)])
        for draw in range(args.draws):
            start = np.random.default_rng(draw).permutation(len(pool[0]))[: args.start]
            for name in args.ways or WAYS:
                rng = np.random.default_rng([draw, 1])
                curve = trial.run(WAYS[name], start, args.count, args.rounds, rng)
                writer.writerow([draw, name, *(f'{value:.2f}' for value in curve)])
                file.flush()
                print(draw, name, *(f'{value:.1f}' for value in curve), flush=True)


if __name__ == '__main__':
    main()
