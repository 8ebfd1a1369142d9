"""HTML report of evaluated runs: ``python tools/analysis/report.py PREDICTIONS.npz``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mmmsf.report.examples import Explain

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _cli import harden


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='One self-contained HTML page about one run, or several side by side.'
    )
    parser.add_argument(
        'predictions',
        nargs='+',
        metavar='PREDICTIONS',
        help='output of tools/test.py --out FILE.npz; several files must have the same images and '
        'classes',
    )
    parser.add_argument('--out', default='report.html', help='the page (default: report.html)')
    parser.add_argument(
        '--names',
        nargs='+',
        metavar='NAME',
        help='names of the runs (default: their file names)',
    )
    parser.add_argument(
        '--image-root',
        metavar='DIR',
        help='folder of the images; only files in it are shown (default: the '
        'paths in the predictions, as they are)',
    )
    parser.add_argument(
        '--attention-checkpoint',
        metavar='CKPT',
        help="checkpoint of the first run: draws the model's attention in that run's mistakes",
    )
    parser.add_argument(
        '--attention-config',
        metavar='CONFIG',
        help='config of that checkpoint (default: the one in the checkpoint)',
    )
    args = parser.parse_args()
    if args.names is not None and len(args.names) != len(args.predictions):
        parser.error(f'--names needs {len(args.predictions)} names, got {len(args.names)}')
    if args.image_root is not None and not Path(args.image_root).is_dir():
        parser.error(f'--image-root {args.image_root} is no folder')
    if args.attention_config is not None and args.attention_checkpoint is None:
        parser.error('--attention-config needs --attention-checkpoint')
    return args


def make_explain(checkpoint: str, config: str | None, classes: Sequence[str]) -> 'Explain':
    """Make a function that draws the attention of a class, summed over the scales."""
    from mmmsf.apis.inferencer import MultiLabelInferencer
    from mmmsf.models.heads.attention_maps import check_class_maps
    from mmmsf.visualization.attention_map import ClassAttention, overlay

    inferencer = MultiLabelInferencer(config, checkpoint)
    check_class_maps(inferencer.model)
    if tuple(inferencer.classes) != tuple(classes):
        raise ValueError(f'{checkpoint} has other classes than the first predictions')

    def explain(image: 'NDArray[np.uint8]', label: int) -> 'NDArray[np.uint8]':
        found = inferencer(image[..., ::-1], return_attention=True, show_progress=False)[0]
        one = ClassAttention('', [maps[label] for maps in found['attention']])
        return overlay(image, one.total, found['region'])

    return explain


def main() -> None:
    args = parse_args()
    harden()

    import mmmsf  # noqa: F401  checks the frameworks and registers the components
    from mmmsf.evaluation import Predictions
    from mmmsf.report.numbers import name_runs
    from mmmsf.report.page import build_page

    root = None if args.image_root is None else Path(args.image_root)
    try:
        names = name_runs(args.predictions, args.names)
        runs = list(zip(names, map(Predictions.load, args.predictions), strict=True))
        explain = (
            None
            if args.attention_checkpoint is None
            else make_explain(
                args.attention_checkpoint, args.attention_config, runs[0][1].classes.tolist()
            )
        )
        page = build_page(runs, root, explain)
    except (ValueError, OSError) as error:
        raise SystemExit(f'error: {error}') from error
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding='utf-8')
    print(f'{out}: {len(names)} run(s), {len(page.encode()) / 1e6:.1f} MB')


if __name__ == '__main__':
    main()
