"""From labelled images to a config, or a model: ``python tools/new_config.py DATA [--train]``."""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.extend(str(Path(__file__).resolve().parent / x) for x in ('data', 'converters'))

from _cli import harden
from mmengine.config import DictAction

if TYPE_CHECKING:
    from _check import ImageFacts, SplitLabels
    from _new_config.schedule import Schedule
    from _new_config.sources import Source

VAL_RATIO = 0.2


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
        help=f'share of the images to split off for validation (default: {VAL_RATIO}; a VOC folder '
        'with lists keeps these)',
    )
    parser.add_argument('--images', type=Path, metavar='DIR', help='folder of the images')
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


def split_data(
    args: argparse.Namespace, source: 'Source', val: 'Source | None'
) -> tuple[dict[str, Any], dict[str, dict[str, Any]], list['SplitLabels']]:
    """Read the labels, and split them unless that is done.

    Returns:
        Arguments that the datasets share, those of each side, and the labels of both sides.
    """
    from _new_config.labels import occurring, read_labels, voc_names
    from _new_config.splits import check_split, voc_split, write_split

    data = {**source.arguments, **args.data_options}
    given = 'classes' in data
    if source.kind == 'voc' and not given:
        data['classes'] = voc_names(source, data.get('rename_classes', {}))
    ratio = args.val_ratio or VAL_RATIO
    whole = None
    if val is not None:
        own = _difference(val, source)
        both = {key: data.pop(key) for key in own if key in data}
        sides = dict(train={**both, **source.whole}, val={**own, **val.whole})
    elif source.kind == 'voc':
        kept = source.has_lists and args.val_ratio is None
        sides = voc_split(kept, ratio, args.out)
    else:
        whole = read_labels('all', {**data, **source.whole})
        sides = write_split(source.path, source.kind, whole, data, ratio, args.out)
    read = [whole] if whole is not None else []
    if not read and not given:  # with --val, a class that only val has cannot be learned
        used = sides if val is None else {'train': sides['train']}
        read = [read_labels(side, {**data, **own}) for side, own in used.items()]
    if not given:
        data['classes'] = occurring(*read)
        if absent := [name for name in read[0].classes if name not in data['classes']]:
            print(f'classes without any label, left out: {", ".join(absent)}')
    labels = [read_labels(side, {**data, **own}) for side, own in sides.items()]
    if whole is not None:
        check_split(read_labels('all', {**data, **source.whole}), labels)
    return data, sides, labels


def _difference(val: 'Source', train: 'Source') -> dict[str, Any]:
    """Return the arguments of the validation set that differ from those of the training set."""
    if val.kind != train.kind:
        raise ValueError(f'--val must be a {train.kind} as DATA is, got a {val.kind}: {val.path}')
    return {k: v for k, v in val.arguments.items() if train.arguments.get(k) != v}


def inspect(labels: list['SplitLabels']) -> dict[str, 'ImageFacts']:
    """Open all images once; refuse those that cannot be read."""
    from _check import inspect_images
    from _new_config.findings import unreadable

    paths = [path for split in labels for path in split.paths]
    facts = inspect_images(paths, min(os.cpu_count() or 1, 8) if len(paths) > 100 else 0)
    if faults := unreadable(facts):
        shown = '\n  '.join(faults[:20])
        raise ValueError(
            f'{len(faults)} images are missing or cannot be read; replace them, or take them out '
            f'of the annotations:\n  {shown}'
        )
    return facts


def plan(args: argparse.Namespace, num_images: int, side: int, pretrained: bool) -> 'Schedule':
    """Choose size and schedule for this machine."""
    import torch
    from _new_config.schedule import choose_schedule, choose_size

    gpu = torch.cuda.is_available()
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30 if gpu else 0.0
    size = choose_size(args.px, side, memory)
    return choose_schedule(num_images, size, memory, os.cpu_count() or 1, pretrained, args.freeze)


def make_config(args: argparse.Namespace) -> list[str]:
    """Write the config; return the validation images."""
    from _new_config.backbones import BACKBONES, choose_backbone, convert_weights
    from _new_config.config_text import config_text
    from _new_config.files import write_new
    from _new_config.findings import describe, median_side
    from _new_config.labels import collected_notes
    from _new_config.sources import find_source
    from _new_config.splits import lists_folder
    from _new_config.trial import estimate_minutes
    from mmengine.config import Config

    if args.backbone not in (None, *BACKBONES):
        raise ValueError(f'--backbone must be one of {list(BACKBONES)}, got {args.backbone!r}')
    source = find_source(args.data, args.images)
    val = None if args.val is None else find_source(args.val)
    places = [args.data, args.val or args.data, lists_folder(args.out)]
    with collected_notes(*places) as notes:
        data, sides, labels = split_data(args, source, val)
    print('\n'.join(dict.fromkeys(notes)))
    facts = inspect(labels)
    print(describe(*labels, facts))
    choice = choose_backbone(args.backbone, args.weights, args.out)
    convert_weights(choice)
    counts = [len(split.paths) for split in labels]
    schedule = plan(args, counts[0], median_side(facts), choice.weights is not None)
    classes = data.pop('classes')
    text = config_text(
        f'Written by tools/new_config.py for {args.data.resolve()}; change what you like.',
        data,
        list(labels[0].classes) if isinstance(classes, str) else list(classes),
        sides,
        f'{counts[0]:,} images to train, {counts[1]:,} to validate',
        choice,
        schedule,
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
    with collected_notes():
        minutes = estimate_minutes(Config.fromfile(args.out), schedule, counts[1])
    print(
        f'{schedule.px} px, {schedule.epochs} epochs of {schedule.steps} steps of '
        f'{schedule.batch_size} images: about {minutes:.1f} min by one step on this machine'
    )
    return list(labels[1].paths)


def main() -> None:
    args = parse_args()
    harden()

    import mmmsf  # noqa: F401  checks the frameworks and registers the components

    try:
        examples = make_config(args)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    if not args.train:
        print(f'next: python tools/train.py {args.out}')
        return
    from _new_config.training import summarize, train_and_report

    try:
        results = train_and_report(args.out, Path('work_dirs') / args.out.stem, examples)
    except RuntimeError as error:
        raise SystemExit(f'error: {error}') from error
    print(f'\n{summarize(args.out, results)}')


if __name__ == '__main__':
    main()
