"""Trial of find_label_errors.py: flip labels at random, then see where its list has them.

``flip`` takes away a share of the marked labels and marks as many false ones, in each class as many
as it lost, so that the numbers of labels of the classes stay. ``score`` reads the flips and one or
several lists.
"""

import argparse
import csv
import sys
from pathlib import Path

from mmengine.config import DictAction

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    tasks = parser.add_subparsers(dest='task', required=True)
    flip = tasks.add_parser('flip', help='write labels.csv, flips.csv and config.py')
    flip.add_argument('config', help='config file, or grid file (.yml) with --row')
    flip.add_argument('--base', help="config that the row changes (default: the grid's own)")
    flip.add_argument('--row', help='row of the grid file')
    flip.add_argument('--share', type=float, default=0.05, help='share of the marked labels')
    flip.add_argument('--seed', type=int, default=0)
    flip.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder to write')
    flip.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='overrides of config values',
    )
    args = parser.parse_args()
    if not 0 <= args.share < 1:
        parser.error(f'--share must be 0 or more and below 1, got {args.share}')
    return args


def flip(args: argparse.Namespace) -> None:
    """Write the flipped labels of a config's training images, and a config with them."""
    from _flips import flip_labels
    from _folds import read_training_data
    from _grid import make_rows
    from _label_table import write_label_table

    from mmmsf.datasets.cached_features import image_names

    row = make_rows([args.config], args.base, args.row and [args.row], options=args.cfg_options)[-1]
    dataset = read_training_data(row.cfg)
    targets, names = dataset.get_gt_labels().astype(int), image_names(dataset)
    flipped = flip_labels(targets, args.share, args.seed)
    classes = list(dataset.metainfo['classes'])
    args.out.mkdir(parents=True, exist_ok=True)
    table = write_label_table(args.out.resolve() / 'labels.csv', names, classes, flipped)
    with open(args.out / 'flips.csv', 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['image', 'class', 'label'])
        for i, k in zip(*(flipped != targets).nonzero(), strict=True):
            writer.writerow([names[i], classes[k], flipped[i, k]])
    old = row.cfg.train_dataloader.dataset
    row.cfg.train_dataloader.dataset = dict(
        type='mmmsf.CsvMultiLabel',
        data_prefix=str(Path(dataset.img_prefix).resolve()),
        pipeline=old.pipeline,
        **table,
    )
    row.cfg.dump(args.out / 'config.py')
    print(
        f'{args.out}: {(flipped < targets).sum()} labels taken away, '
        f'{(flipped > targets).sum()} false ones marked, of {(targets == 1).sum()}'
    )


def main() -> None:
    args = parse_args()
    harden()

    import mmmsf  # noqa: F401  checks the frameworks and registers the components

    try:
        flip(args)
    except (OSError, ValueError) as error:
        raise SystemExit(f'label_error_trial.py: {error}') from error


if __name__ == '__main__':
    main()
