"""Rank the labels of a config's training images by how likely each is wrong.

The images are divided into folds, the config is trained without each and predicts it; a label that
contradicts the scores of its image is suspect, marked or missing. Repeat a stopped command to
resume it. Write the verdicts into errors.csv; correct_labels.py makes a label file of them.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.config import DictAction

if TYPE_CHECKING:
    from mmengine.config import Config

    from mmmsf.datasets.base import MultiLabelData
    from mmmsf.evaluation import Predictions
    from mmmsf.report.examples import Explain

    # Predictions, and from an image to what explains it
    Outcome = tuple[Predictions, Callable[[int], Explain | None]]

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden, load_config


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir', required=True, help='folds, runs and results; the same folder resumes'
    )
    parser.add_argument('--folds', type=int, default=3, help='number of folds (default: 3)')
    parser.add_argument('--seed', type=int, default=0, help='seed of folds and trainings')
    parser.add_argument(
        '--features',
        metavar='DIR',
        help='train on the features that cache_features.py --splits train held wrote; the backbone '
        'must be frozen',
    )
    parser.add_argument(
        '--scores',
        type=Path,
        metavar='FILE.npz',
        help='rank these predictions of the training images and train nothing; their model must '
        'not have been trained on the images',
    )
    parser.add_argument(
        '--method',
        choices=['ours', 'cleanlab'],
        default='ours',
        help='cleanlab ranks by its label quality, for comparison (default: ours)',
    )
    parser.add_argument(
        '--out', type=Path, metavar='FILE.csv', help='list to write (default: WORK_DIR/errors.csv)'
    )
    parser.add_argument(
        '--count', type=int, default=1000, help='rows of the list; 0 lists all (default: 1000)'
    )
    parser.add_argument(
        '--shown', type=int, default=100, help='rows on the page beside the list (default: 100)'
    )
    parser.add_argument('--jobs', type=int, default=1, help='runs side by side')
    parser.add_argument('--threads', type=int, help='CPU threads of each run')
    parser.add_argument('--gpus', type=int, nargs='+', help='GPU ids to share among the jobs')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='overrides of config values',
    )
    args = parser.parse_args()
    args.seeds, args.gpus_per_run, args.image_size = [args.seed], 1, None  # read by Sweep
    return args


def predict(args: argparse.Namespace, cfg: 'Config', dataset: 'MultiLabelData') -> 'Outcome':
    """Train and predict the folds, or read ``--scores``."""
    from _explain import explain_row
    from _fold_sweep import FoldSweep, collect
    from _folds import fold_rows, make_folds

    if args.scores is not None:
        return collect([args.scores], dataset), lambda image: None
    root = Path(args.work_dir)
    folds = make_folds(dataset, args.folds, args.seed, root / 'folds.csv')
    sweep = FoldSweep(fold_rows(cfg, folds, root, args.features), args)
    failed = sweep.run()
    if failed:
        raise SystemExit('\n\n'.join(['these runs failed:', *failed]))
    files = [sweep.predictions(row, args.seed) for row in sweep.rows]
    predictions = collect(files, dataset)
    predictions.save(root / 'predictions.npz')
    rows = sweep.rows if args.shown else []
    explain = [explain_row(row, sweep.checkpoint(row, args.seed)) for row in rows]
    return predictions, lambda image: explain[folds[image]]


def main() -> None:
    args = parse_args()
    harden()

    from _folds import read_training_data
    from _label_errors import rank_suspects
    from _label_page import build_label_page
    from _label_quality import ERROR_SHARE, METHODS
    from _suspects import write_suspects

    import mmmsf  # noqa: F401  checks the frameworks and registers the components
    from mmmsf.datasets.cached_features import image_names

    cfg = load_config(args.config, args.cfg_options)
    out = args.out or Path(args.work_dir) / 'errors.csv'
    try:
        dataset = read_training_data(cfg)
        found, explain_of = predict(args, cfg, dataset)
        likelihood = METHODS[args.method](found.scores, found.targets)
        names, classes = image_names(dataset), found.classes.tolist()
        known = int((found.targets >= 0).sum())
        suspects = rank_suspects(
            names, classes, found.scores, found.targets, likelihood, args.count
        )
        write_suspects(out, suspects)
        page = build_label_page(
            suspects[: args.shown], known, found, names, out.name, ERROR_SHARE, explain_of
        )
        out.with_suffix('.html').write_text(page, encoding='utf-8')
    except (OSError, ValueError) as error:
        raise SystemExit(f'find_label_errors.py: {error}') from error
    print(f'{out}: {len(suspects)} of {known} labels, and {out.with_suffix(".html").name}')


if __name__ == '__main__':
    main()
