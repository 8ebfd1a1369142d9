"""Compute the features of a config's frozen backbone once, for trainings of heads on them.

``ablate.py CONFIGS --features DIR`` trains on them every config whose backbone computes some of
their maps. A training image has ``--views`` augmented views, each a function of image and seed.
The split ``held`` is the training images through the validation pipeline, which
``find_label_errors.py`` predicts.
"""

import argparse
import sys
from pathlib import Path

from mmengine.config import DictAction

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden, load_config


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file with a backbone that is frozen entirely')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder to write')
    parser.add_argument(
        '--splits',
        nargs='+',
        choices=['train', 'val', 'held'],
        default=['train', 'val'],
        help='folders to write (default: train and val)',
    )
    parser.add_argument('--views', type=int, default=1, help='views of a training image')
    parser.add_argument('--seed', type=int, default=0, help='seed of the views')
    parser.add_argument('--dtype', choices=['float16', 'float32'], default='float16')
    parser.add_argument('--batch-size', type=int, default=32)
    parser.add_argument('--workers', type=int, default=0, help='loader processes')
    parser.add_argument('--device', default=None, help='default: a GPU if there is one')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='overrides of config values',
    )
    args = parser.parse_args()
    if args.views < 1 or args.batch_size < 1:
        parser.error('--views and --batch-size must be at least 1')
    return args


def main() -> None:
    args = parse_args()
    harden()

    import torch
    from _extraction import Extractor, write_features
    from _folds import hold_out

    import mmmsf  # noqa: F401  registers the components

    cfg = load_config(args.config, args.cfg_options)
    device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        extractor = Extractor(cfg, device)
        options = dict(
            seed=args.seed, dtype=args.dtype, batch_size=args.batch_size, workers=args.workers
        )
        for split in dict.fromkeys(args.splits):
            used = hold_out(cfg) if split == 'held' else cfg
            views = args.views if split == 'train' else 1
            name = 'train' if split == 'train' else 'val'
            write_features(used, name, args.out / split, extractor, views, **options)
    except (OSError, ValueError) as error:
        raise SystemExit(f'cache_features.py: {error}') from error


if __name__ == '__main__':
    main()
