"""Exclusive groups against independent sigmoids on handwritten digits in coloured ink.

``python tests/by_hand/exclusive_labels.py OUT_DIR [--seeds 3] [--epochs 8] [--unknown 0]`` trains
both models for each seed with ``tools/train.py`` (half a minute each on an idle core) and prints
mean and standard deviation over the seeds.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def train(folder: Path, name: str, seed: int) -> Path:
    """Train the config ``<name>.py`` in ``folder``; return its validation predictions."""
    from tests.helpers.run_tool import run_tool

    options = ('--work-dir', f'{name}_{seed}', '--seed', str(seed))
    done = run_tool(folder, 'train.py', f'{name}.py', *options)
    if done.returncode:
        raise SystemExit(done.stderr)
    return folder / f'{name}_{seed}/val/predictions.npz'


def measure(path: Path) -> dict[str, float]:
    """Compare shown labels with the truth; the thresholds are 0.5, or tuned on other images."""
    from mmmsf.evaluation import Predictions
    from mmmsf.evaluation.functional import average_precision, threshold_decisions
    from mmmsf.evaluation.functional.group_metrics import group_metrics
    from mmmsf.evaluation.tuning import tune_frequent_classes
    from mmmsf.utils.groups import broken_rows, parse_groups
    from tests.helpers.coloured_digits import CLASSES, GROUPS

    data, groups = Predictions.load(path), parse_groups(GROUPS, CLASSES)
    half = np.arange(len(data.scores)) % 2 == 0
    scores, targets = data.scores[~half], data.targets[~half]
    found = {'mAP': 100 * float(np.nanmean(average_precision(scores, targets)))}
    tuned = tune_frequent_classes(data.scores[half], data.targets[half], groups=data.groups).values
    for thr, suffix in ((0.5, 'at 0.5'), (tuned, 'tuned')):
        shown = threshold_decisions(scores, thr, data.groups)
        for group in groups:
            broken = broken_rows(shown.astype(np.int8), group)
            found[f'{group.name}: rule broken, {suffix}'] = 100 * float(broken.mean())
            # An image with a broken rule has no outcome, so it counts as wrong
            right = (shown[:, group.columns] == (targets[:, group.columns] == 1)).all(axis=1)
            found[f'{group.name}: right, {suffix}'] = 100 * float(right.mean())
    for group in groups:
        highest = threshold_decisions(scores, 0.5, groups)
        found[f'{group.name}: right, highest score'] = 100 * (
            group_metrics(highest, targets, group).accuracy
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path)
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--epochs', type=int, default=8)
    parser.add_argument('--unknown', type=float, default=0.0, help='part of unknown labels')
    args = parser.parse_args()
    args.out = args.out.resolve()

    from tests.helpers.coloured_digits import make_config, write_data

    write_data(args.out / 'data', 800, 997, unknown=args.unknown, palest=0.1)
    rows: dict[str, list[dict[str, float]]] = {'sigmoids': [], 'groups': []}
    for name in rows:
        cfg = make_config(args.out / 'data', name == 'groups', args.epochs)
        cfg.train_cfg.val_interval = args.epochs
        cfg.dump(args.out / f'{name}.py')
    for seed in range(args.seeds):
        for name, runs in rows.items():
            runs.append(measure(train(args.out, name, seed)))
            print(name, seed, runs[-1], file=sys.stderr)
    print(f'| % | {" | ".join(rows)} |\n|---|{"---|" * len(rows)}')
    for key in rows['groups'][0]:
        values = [np.array([run[key] for run in runs]) for runs in rows.values()]
        cells = [f'{x.mean():.1f} ± {x.std(ddof=1):.1f}' for x in values]
        print(f'| {key} | {" | ".join(cells)} |')


if __name__ == '__main__':
    main()
