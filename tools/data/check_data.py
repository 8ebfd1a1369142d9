"""Open every image of a config's datasets once: ``python tools/data/check_data.py CONFIG``."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden, load_config
from mmengine.config import DictAction

if TYPE_CHECKING:
    from _check import SplitLabels

SPLITS = ('train', 'val', 'test')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Open every image of the train, val and test sets of a config; report counts, '
        'sizes, broken files and duplicates, and the benchmark it looks like. Exits with 1 '
        'if an image is missing or broken, or labels break the rule of a group.'
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--workers',
        type=int,
        default=min(os.cpu_count() or 1, 8),
        help='processes that open images; 0 opens them in this one (default: %(default)s)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='overrides of config values, for example train_dataloader.dataset.data_root=data/mine',
    )
    args = parser.parse_args()
    if args.workers < 0:
        parser.error(f'--workers must not be negative, got {args.workers}')
    return args


def read_splits(args: argparse.Namespace) -> list['SplitLabels']:
    """Read the labels of every data set of the config."""
    from _check import SplitLabels
    from mmengine.registry import DefaultScope

    from mmmsf.registry import DATASETS

    cfg = load_config(args.config, args.cfg_options)
    splits = []
    for name in SPLITS:
        loader = cfg.get(f'{name}_dataloader')
        if loader is None:
            continue
        dataset = dict(loader.dataset)
        if 'pipeline' in dataset:  # not needed here, and may need packages that are not installed
            dataset['pipeline'] = []
        groups = dataset.pop('groups', None)  # the data set would stop at broken labels
        try:
            with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
                splits.append(SplitLabels.from_dataset(name, DATASETS.build(dataset), groups))
        except (OSError, ValueError) as error:
            raise SystemExit(f'error: the {name} set of {args.config}: {error}') from error
    if not splits:
        raise SystemExit(f'{args.config} has none of {[f"{name}_dataloader" for name in SPLITS]}')
    return splits


def main() -> None:
    args = parse_args()
    harden()

    from _check import inspect_images, summarize_split
    from _check_text import format_duplicates, format_summary
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    import mmmsf  # noqa: F401  checks the frameworks and registers the components

    splits = read_splits(args)
    paths = list(dict.fromkeys(path for split in splits for path in split.paths))
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress('images', *columns, console=Console(stderr=True)) as bar:
        task = bar.add_task('images', total=len(paths))
        facts = inspect_images(paths, args.workers, lambda: bar.advance(task))
    summaries = [summarize_split(split, facts) for split in splits]
    for summary in summaries:
        print(format_summary(summary), end='\n\n')
    print(format_duplicates(splits, facts) or 'no image occurs twice')
    if any(summary.faults or summary.broken for summary in summaries):
        raise SystemExit(1)


if __name__ == '__main__':
    main()
