"""From labelled images to a config, or a model: ``python tools/new_config.py DATA [--train]``."""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.extend(str(Path(__file__).resolve().parent / x) for x in ('data', 'converters'))

from _cli import harden
from mmengine.config import DictAction

if TYPE_CHECKING:
    from _new_config.data import Found
    from _new_config.schedule import Schedule
    from _new_config.weights import Choice


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Look at labelled images, say what they are, and write a config for them: '
        'data, pretrained backbone, the recommended head, image size and schedule. With --train, '
        'go on to a trained model, a report, predictions and an ONNX file; the same command goes '
        'on after an interruption. Nothing is written into the folders of the data.'
    )
    parser.add_argument(
        'data', type=Path, help='table, COCO file, or a folder with one or with XML files'
    )
    parser.add_argument('--val', type=Path, metavar='DATA', help='validation images, likewise')
    parser.add_argument(
        '--val-ratio',
        type=float,
        metavar='SHARE',
        help='share of the images to split off for validation (default: 0.2; a VOC folder '
        'with lists keeps these)',
    )
    parser.add_argument(
        '--images', type=Path, metavar='DIR', help='folder of the images, also of --val'
    )
    parser.add_argument(
        '--data-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='arguments of the dataset, for example missing_xml=drop or label_columns=tags',
    )
    parser.add_argument(
        '--backbone',
        metavar='NAME',
        help='network (default: resnet50 or what is at hand); a wrong name lists all',
    )
    parser.add_argument(
        '--weights', metavar='FILE', help="the backbone's weights, or none for random ones"
    )
    parser.add_argument(
        '--freeze',
        action=argparse.BooleanOptionalAction,
        help='train only the head (default: on a CPU)',
    )
    parser.add_argument('--px', type=int, metavar='N', help='image size (default: by the device)')
    parser.add_argument(
        '--out', type=Path, metavar='FILE', help='config to write (default: by the name of DATA)'
    )
    parser.add_argument('--force', action='store_true', help='overwrite an existing config')
    parser.add_argument(
        '--train', action='store_true', help='train, test, and write report, predictions and ONNX'
    )
    args = parser.parse_args()
    _check_args(parser, args)
    return args


def _check_args(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    if args.val is not None and args.val_ratio is not None:
        parser.error('--val and --val-ratio exclude each other')
    if args.val_ratio is not None and not 0 < args.val_ratio < 1:
        parser.error(f'--val-ratio must be between 0 and 1, got {args.val_ratio}')
    if args.px is not None and args.px < 32:
        parser.error(f'--px must be at least 32, got {args.px}')
    if args.images is not None and not args.images.is_dir():
        parser.error(f'--images {args.images} is no folder')
    if args.out is None:
        # Roboflow names all its files _classes.csv and _annotations.coco.json
        path = args.data.resolve()
        name = path.parent.name if path.name.startswith('_') else path.name.partition('.')[0]
        args.out = Path(f'{re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "mine"}.py')
    elif args.out.suffix != '.py' or '.' in args.out.stem:
        parser.error(f'--out must be a .py file without another dot, got {args.out}')


def plan(args: argparse.Namespace, num_images: int, side: int, choice: 'Choice') -> 'Schedule':
    """Choose size and schedule for this machine."""
    import torch
    from _new_config.backbones import BACKBONES
    from _new_config.schedule import choose_schedule, choose_size

    gpu = torch.cuda.is_available()
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30 if gpu else 0.0
    size = choose_size(args.px, side, memory, BACKBONES[choice.name].sized)
    pretrained = choice.weights is not None
    return choose_schedule(num_images, size, memory, os.cpu_count() or 1, pretrained, args.freeze)


def look(args: argparse.Namespace) -> 'Found':
    """Read labels and images, split them, and print what they are."""
    from _new_config.data import Found, open_images, split_data
    from _new_config.findings import describe
    from _new_config.labels import collected_notes
    from _new_config.sources import find_source
    from _new_config.splits import lists_folder

    source = find_source(args.data, args.images)
    val = None if args.val is None else find_source(args.val, args.images)
    for one in filter(None, (source, val)):
        print(one.title)
    places = [args.data, args.val or args.data, lists_folder(args.out)]
    with collected_notes(*places) as notes:
        try:
            data, sides, labels = split_data(
                source, val, args.data_options, args.val_ratio, args.out
            )
        except ValueError as error:
            raise ValueError(
                f'{error}\n(arguments of the dataset go behind --data-options, as KEY=VALUE)'
            ) from None
    for line in notes:
        print(line)
    facts = open_images(labels)
    print(describe(*labels, facts))
    return Found(data, sides, labels, facts)


def write_config(args: argparse.Namespace, found: 'Found') -> 'Schedule':
    """Choose backbone and schedule, and write the config."""
    from _new_config.config_text import config_text
    from _new_config.files import write_new
    from _new_config.findings import median_side
    from _new_config.weights import choose_backbone, convert_weights

    from mmmsf.engine.resume.find_checkpoint import find_checkpoint

    choice = choose_backbone(args.backbone, args.weights, args.out)
    convert_weights(choice)
    schedule = plan(args, found.counts[0], median_side(found.facts), choice)
    text = config_text(
        f'Written by tools/new_config.py for {args.data.resolve()}; change what you like.',
        {key: value for key, value in found.data.items() if key != 'classes'},
        found.labels[0].classes,
        found.sides,
        f'{found.counts[0]:,} images to train, {found.counts[1]:,} to validate',
        choice,
        schedule,
    )
    started = find_checkpoint(work_dir(args.out)) if args.force else None
    if started is not None and args.out.exists() and args.out.read_text(encoding='utf-8') != text:
        raise ValueError(
            f'{started} is of a training with the config that {args.out} was; remove that folder, '
            'or name another --out'
        )
    try:
        written = write_new(args.out, text, args.force)
    except FileExistsError as error:
        raise FileExistsError(
            f'{error}; --force overwrites it, --out names another; to train it as it is: '
            f'python tools/train.py {args.out}'
        ) from None
    print(f'\n{args.out}: {"written" if written else "unchanged"}')
    print(f'backbone: {choice.text}; {"frozen" if schedule.frozen else "trained"}')
    return schedule


def work_dir(config: Path) -> Path:
    """Return the folder of a config's runs."""
    return Path('work_dirs') / config.stem


def try_config(args: argparse.Namespace, schedule: 'Schedule', num_val: int) -> None:
    """Take a training step, and print the time that a training takes."""
    from _new_config.labels import collected_notes
    from _new_config.trial import estimate_minutes

    from mmmsf.utils.config_file import read_config

    with collected_notes():
        minutes = estimate_minutes(read_config(args.out), schedule, num_val)
    tested = f', tested at {schedule.test_px}' if schedule.test_px > schedule.px else ''
    print(
        f'{schedule.px} px{tested}, {schedule.epochs} epochs of {schedule.steps} steps of '
        f'{schedule.batch_size} images: about {minutes:.1f} min by one step on this machine'
    )


def main() -> None:
    args = parse_args()
    harden()

    from _new_config.backbones import BACKBONES

    import mmmsf  # noqa: F401  checks the frameworks and registers the components

    try:
        if args.backbone not in (None, *BACKBONES):
            raise ValueError(f'--backbone must be one of {list(BACKBONES)}, got {args.backbone!r}')
        found = look(args)
        try_config(args, write_config(args, found), found.counts[1])
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    if not args.train:
        print(f'next: python tools/train.py {args.out}')
        return
    from _new_config.training import summarize, train_and_report

    try:
        results = train_and_report(args.out, work_dir(args.out), found.labels[1].paths)
    except RuntimeError as error:
        raise SystemExit(f'error: {error}') from error
    print(f'\n{summarize(args.out, results)}')


if __name__ == '__main__':
    main()
