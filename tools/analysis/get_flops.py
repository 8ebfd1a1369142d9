"""Count parameters and floating-point operations of configs: ``get_flops.py CONFIG...``."""

import argparse
import sys
from pathlib import Path

from mmengine.config import DictAction

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden, load_config

PARTS = ('backbone', 'neck', 'head')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Parameters and floating-point operations of one forward pass to the logits, '
        'attention included, as a markdown table. A multiply-add counts as two operations.'
    )
    parser.add_argument('configs', nargs='+', help='config files')
    parser.add_argument(
        '--size',
        type=int,
        nargs='+',
        metavar='PX',
        help='height and width (default: those of the test pipeline)',
    )
    parser.add_argument(
        '--metafile',
        metavar='FILE',
        help="write the counts to the config's entry in this metafile.yml",
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='overrides of config values',
    )
    args = parser.parse_args()
    if args.size is not None and len(args.size) > 2:
        parser.error('--size takes one or two numbers')
    return args


def update_metafile(path: Path, counts: dict[str, tuple[int, float]]) -> None:
    """Write ``{config: (parameters, FLOPs)}`` into the metadata of the models listed there."""
    import yaml

    content = yaml.safe_load(path.read_text(encoding='utf-8'))
    for model in content['Models']:
        if model['Config'] in counts:
            params, flops = counts[model['Config']]
            model['Metadata'].update(Parameters=params, FLOPs=flops)
    path.write_text(yaml.safe_dump(content, sort_keys=False, width=100), encoding='utf-8')


def main() -> None:
    args = parse_args()
    harden()

    from _complexity import count_complexity, input_size

    import mmmsf  # noqa: F401  checks the frameworks and registers the components
    from mmmsf.checkpoint.loading import build_model

    print(
        '| config | px | parameters | '
        + ' | '.join(f'{part} GFLOP' for part in PARTS)
        + ' | GFLOP |'
    )
    print('|---' * (4 + len(PARTS)) + '|')
    counts = {}
    for path in args.configs:
        cfg = load_config(path, args.cfg_options)
        size = args.size or input_size(cfg)
        cost = count_complexity(build_model(cfg), (size[0], size[-1]))
        counts[path] = (cost.total_params, cost.total_flops)
        parts = ' | '.join(f'{cost.flops.get(part, 0) / 1e9:.4g}' for part in PARTS)
        print(
            f'| {Path(path).stem} | {size[0]} x {size[-1]} | {cost.total_params:,} | {parts} | '
            f'{cost.total_flops / 1e9:.4g} |',
            flush=True,
        )
    if args.metafile:
        update_metafile(Path(args.metafile), counts)


if __name__ == '__main__':
    main()
