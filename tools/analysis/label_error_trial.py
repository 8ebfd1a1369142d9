"""Trials with damaged labels: flipped at random, or one positive kept an image.

``flip`` takes away a share of the marked labels and marks as many false ones, in each class as many
as it lost, so that the numbers of labels of the classes stay; ``score`` then sees where lists of
find_label_errors.py have the flips. ``keep-one`` keeps one random label of each image, for losses
that expect missing labels.
"""

import argparse
import csv
import sys
from pathlib import Path

from mmengine.config import DictAction

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden, load_config


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    tasks = parser.add_subparsers(dest='task', required=True)
    flip = tasks.add_parser('flip', help='write labels.csv, flips.csv and config.py')
    flip.add_argument('--share', type=float, default=0.05, help='share of the marked labels')
    keep = tasks.add_parser('keep-one', help='write labels.csv, flips.csv and config.py')
    for task in (flip, keep):
        task.add_argument('config', help='config file')
        task.add_argument('--seed', type=int, default=0)
        task.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder to write')
        task.add_argument(
            '--cfg-options',
            nargs='+',
            action=DictAction,
            metavar='KEY=VALUE',
            help='overrides of config values',
        )
    score = tasks.add_parser('score', help='print where lists have the flips')
    score.add_argument('flips', type=Path, metavar='FLIPS.csv')
    score.add_argument(
        'lists', type=Path, nargs='+', metavar='LIST.csv', help='of find_label_errors.py --count 0'
    )
    score.add_argument('--name', default='', help='first cell of the rows')
    args = parser.parse_args()
    if args.task == 'flip' and not 0 <= args.share < 1:
        parser.error(f'--share must be 0 or more and below 1, got {args.share}')
    return args


def damage(args: argparse.Namespace) -> None:
    """Write the damaged labels of a config's training images, and a config with them."""
    from _flips import flip_labels, keep_one
    from _folds import read_training_data
    from _label_table import write_label_table

    from mmmsf.datasets.cached_features import image_names

    cfg = load_config(args.config, args.cfg_options)
    dataset = read_training_data(cfg)
    targets, names = dataset.get_gt_labels().astype(int), image_names(dataset)
    flipped = (
        flip_labels(targets, args.share, args.seed)
        if args.task == 'flip'
        else keep_one(targets, args.seed)
    )
    classes = list(dataset.metainfo['classes'])
    args.out.mkdir(parents=True, exist_ok=True)
    table = write_label_table(args.out.resolve() / 'labels.csv', names, classes, flipped)
    with open(args.out / 'flips.csv', 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['image', 'class', 'label'])
        for i, k in zip(*(flipped != targets).nonzero(), strict=True):
            writer.writerow([names[i], classes[k], flipped[i, k]])
    old = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = dict(
        type='mmmsf.CsvMultiLabel',
        data_prefix=str(Path(dataset.img_prefix).resolve()),
        pipeline=old.pipeline,
        **table,
    )
    cfg.dump(args.out / 'config.py')
    print(
        f'{args.out}: {(flipped < targets).sum()} labels taken away, '
        f'{(flipped > targets).sum()} false ones marked, of {(targets == 1).sum()}'
    )


def score(args: argparse.Namespace) -> None:
    """Print a line of CSV for each list."""
    from _flips import locate
    from _suspects import read_suspects

    with open(args.flips, encoding='utf-8', newline='') as file:
        flips = [(row['image'], row['class']) for row in csv.DictReader(file)]
    for number, path in enumerate(args.lists):
        found = locate(flips, [(row.image, row.class_name) for row in read_suspects(path)])
        if number == 0:
            print('name,list', *found, sep=',')
        numbers = (f'{x:.1f}' if isinstance(x, float) else x for x in found.values())
        print(args.name, path.stem, *numbers, sep=',')


def main() -> None:
    args = parse_args()
    harden()

    import mmmsf  # noqa: F401  checks the frameworks and registers the components

    try:
        (score if args.task == 'score' else damage)(args)
    except (OSError, ValueError) as error:
        raise SystemExit(f'label_error_trial.py: {error}') from error


if __name__ == '__main__':
    main()
