"""Pointing game of attention maps: ``pointing_game.py CONFIG CHECKPOINT``."""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden, load_config
from mmengine.config import DictAction


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Share of (image, true class) pairs of the config's validation set, which must "
        "be COCO- or VOC-style with boxes, in which the class's attention is strongest inside "
        'one of its boxes; prints a Markdown table by scale and object size.'
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        '--num-images', type=int, metavar='N', help='look at the first N images only (default: all)'
    )
    parser.add_argument('--layer', type=int, default=-1, help='decoder layer (default: the last)')
    parser.add_argument(
        '--batch-size',
        type=int,
        default=50,
        metavar='N',
        help='images at once (default: %(default)s)',
    )
    parser.add_argument(
        '--figure',
        metavar='FILE',
        help='draw maps and boxes of some pairs, without the photographs',
    )
    parser.add_argument(
        '--figure-pairs',
        type=int,
        default=8,
        metavar='N',
        help='how many, evenly spaced over all (default: %(default)s)',
    )
    parser.add_argument('--device', help='for example cpu or cuda:1')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='overrides of config values',
    )
    args = parser.parse_args()
    for name in ('num_images', 'batch_size', 'figure_pairs'):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1, got {value}')
    return args


def build_dataset(cfg: Any) -> Any:
    """Build the validation set without its pipeline."""
    from mmengine.registry import DefaultScope

    from mmmsf.registry import DATASETS

    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return DATASETS.build({**cfg.val_dataloader.dataset, 'pipeline': []})


def main() -> None:
    args = parse_args()
    harden()

    from _box_maps import BoxMaps, draw_box_maps
    from _boxes import class_boxes
    from _pointing_pairs import judge, tabulate
    from rich.console import Console
    from rich.progress import track

    from mmmsf.apis import MultiLabelInferencer
    from mmmsf.apis.results import ResultOptions
    from mmmsf.evaluation.functional.size_aware import COCO_SIZE_THRESHOLDS, areas_to_sizes
    from mmmsf.visualization import ClassAttention

    cfg = load_config(args.config, args.cfg_options)
    evaluators = cfg.val_evaluator if isinstance(cfg.val_evaluator, list) else [cfg.val_evaluator]
    bounds = next(
        (evaluator.size_thresholds for evaluator in evaluators if evaluator.get('size_thresholds')),
        COCO_SIZE_THRESHOLDS,
    )
    options = ResultOptions(return_attention=True, attention_layer=args.layer)
    pairs, drawn, scales, unboxed = [], [], [], 0
    try:
        dataset = build_dataset(cfg)
        inferencer = MultiLabelInferencer(cfg, args.checkpoint, args.device)
        boxes = class_boxes(dataset)
        infos = [dataset.get_data_info(i) for i in range(len(dataset))][: args.num_images]
        results = inferencer.stream([info['img_path'] for info in infos], options, args.batch_size)
        for info, result in track(
            zip(infos, results, strict=True),
            'images',
            total=len(infos),
            console=Console(stderr=True),
        ):
            scales = [x.shape[1:] for x in result['attention']]
            sizes = areas_to_sizes(info['gt_area'], bounds)
            for k in info['gt_label']:
                attention = ClassAttention('', [x[k] for x in result['attention']])
                of_class = boxes.get(info['img_path'], {}).get(k, [])
                pair = judge(
                    [*attention.maps, attention.total], of_class, result['region'], int(sizes[k])
                )
                unboxed += pair is None
                if pair is not None:
                    pairs.append(pair)
                    title = f'{dataset.metainfo["classes"][k]}\n{Path(info["img_path"]).stem}'
                    drawn.append(BoxMaps(title, attention.maps, of_class, result['region']))
        names = [*(f'{h} x {w}' for h, w in scales), 'sum']
        print(tabulate(pairs, names, len(scales)))
        if args.figure:
            step = max(1, len(drawn) // args.figure_pairs)
            draw_box_maps(drawn[::step][: args.figure_pairs], args.figure)
    except (ValueError, OSError) as error:
        raise SystemExit(f'pointing_game.py: {error}') from error
    print(
        f'\n{len(infos)} images. small, medium, large: largest object of the class below '
        f'{bounds[0]:g}, below {bounds[1]:g}, from {bounds[1]:g} px^2 on. chance: the share of '
        'the image inside the boxes.'
    )
    if unboxed:
        print(f'{unboxed} pairs left out: no box in the part of the image that the network saw.')


if __name__ == '__main__':
    main()
