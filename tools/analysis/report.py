"""HTML report of evaluated runs: ``python tools/analysis/report.py PREDICTIONS.npz``."""

import argparse
import sys
from pathlib import Path

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


def main() -> None:
    args = parse_args()
    harden()

    from _explain import make_explain

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
