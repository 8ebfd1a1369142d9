"""Show augmented images and labels: ``browse_dataset.py CONFIG --out-dir DIR``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden, load_config
from mmengine.config import DictAction

PAGE = 24  # images on one sheet


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Write contact sheets of augmented images, spread evenly over a data set, with '
        'their labels.'
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('--out-dir', required=True, metavar='DIR', help='folder for the sheets')
    parser.add_argument(
        '--number',
        type=int,
        default=PAGE,
        help=f'images to show, {PAGE} on a sheet (default: %(default)s)',
    )
    parser.add_argument(
        '--split',
        choices=['train', 'val', 'test'],
        default='train',
        help='dataset to show (default: %(default)s)',
    )
    parser.add_argument(
        '--size',
        type=int,
        default=224,
        help='side of an image on the sheet in pixels (default: %(default)s)',
    )
    parser.add_argument('--seed', type=int, default=0, help='of the augmentation')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='overrides of config values',
    )
    args = parser.parse_args()
    if args.number < 1 or args.size < 1:
        parser.error(f'--number and --size must be positive, got {args.number} and {args.size}')
    return args


def build_dataset(args: argparse.Namespace) -> Any:
    """Build the chosen data set with its pipeline up to packing."""
    from mmengine.registry import DefaultScope

    from mmmsf.registry import DATASETS

    cfg = load_config(args.config, args.cfg_options)
    if cfg.get(f'{args.split}_dataloader') is None:
        raise SystemExit(f'error: {args.config} has no `{args.split}_dataloader`')
    dataset = dict(cfg[f'{args.split}_dataloader'].dataset)
    if 'pipeline' not in dataset:
        raise SystemExit(
            f'{args.config}: the {args.split} dataset is a {dataset["type"]} '
            'without a pipeline of its own; name the inner dataset in its place'
        )
    # Packing turns pixels into tensors; the steps before it give images
    dataset['pipeline'] = [
        step for step in dataset['pipeline'] if not step['type'].split('.')[-1].startswith('Pack')
    ]
    try:
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
            return DATASETS.build(dataset)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: the {args.split} set of {args.config}: {error}') from error


def make_tile(data: dict[str, Any], classes: Sequence[str]) -> Any:
    """Turn the output of the pipeline into a tile of a contact sheet."""
    import numpy as np

    from mmmsf.evaluation.rows import sample_target
    from mmmsf.visualization import Tile

    path = str(data['img_path'])
    truth = sample_target(data, len(classes), path).tolist()
    image = np.clip(data['img'][..., ::-1], 0, 255).astype(np.uint8)  # BGR to RGB
    return Tile(
        image,
        Path(path).name,
        right=[name for name, y in zip(classes, truth, strict=True) if y > 0],
        missed=[f'({name})' for name, y in zip(classes, truth, strict=True) if y < 0],
    )


def main() -> None:
    args = parse_args()
    harden()

    import numpy as np
    from mmengine.runner import set_random_seed

    import mmmsf  # noqa: F401  checks the frameworks and registers the components
    from mmmsf.visualization import draw_contact_sheet

    set_random_seed(args.seed)
    dataset = build_dataset(args)
    number = min(args.number, len(dataset))
    indices = np.linspace(0, len(dataset) - 1, number).round().astype(int).tolist()
    out_dir = Path(args.out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    for page, start in enumerate(range(0, number, PAGE), start=1):
        path = out_dir / f'{args.split}_{page:03d}.png'
        tiles = [
            make_tile(dataset[index], dataset.metainfo['classes'])
            for index in indices[start : start + PAGE]
        ]
        draw_contact_sheet(tiles, size=args.size).save(path)
        print(f'{path}: {len(tiles)} images; green: labels, orange in brackets: ignored classes')


if __name__ == '__main__':
    main()
