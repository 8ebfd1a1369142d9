"""Train configs, or the rows of a grid file, with several seeds and compare them in one table.

A config is one row. A grid file (``configs/msf/ablations/grid.yml``) gives the row of its base
config and one row for each of its named changes. Repeat a stopped command to resume it.
"""

import argparse
import ast
import sys
from pathlib import Path

from mmengine.config import DictAction

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'configs', nargs='+', help='config files, folders of them, or grid files (.yml)'
    )
    parser.add_argument('--base', help="config that grid rows change (default: the grid's own)")
    parser.add_argument(
        '--rows', nargs='+', metavar='NAME', help='tables or rows of the grid (default: all)'
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument(
        '--work-dir', required=True, help='runs, table.md and table.csv; the same folder resumes'
    )
    parser.add_argument(
        '--grid',
        nargs='+',
        action='append',
        default=[],
        metavar=('KEY', 'VALUE'),
        help='also run every row with each VALUE of the config key KEY',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='overrides for every run',
    )
    parser.add_argument(
        '--features',
        metavar='DIR',
        help='train neck and head on the features that cache_features.py wrote; the backbone of '
        'every row must be frozen. network.py and network.pth of a run are the network on images',
    )
    parser.add_argument('--jobs', type=int, default=1, help='runs side by side')
    parser.add_argument('--threads', type=int, help='CPU threads of each run')
    parser.add_argument('--gpus', type=int, nargs='+', help='GPU ids to share among the jobs')
    parser.add_argument(
        '--gpus-per-run', type=int, default=1, help='processes of each run, started by torchrun'
    )
    parser.add_argument(
        '--image-size',
        type=int,
        nargs='+',
        help='height and width for the GFLOPs (default: read from the data)',
    )
    args = parser.parse_args()
    if args.jobs < 1 or args.gpus_per_run < 1:
        parser.error('--jobs and --gpus-per-run must be at least 1')
    if (args.base or args.rows) and not any(
        Path(name).suffix in ('.yml', '.yaml') for name in args.configs
    ):
        parser.error('--base and --rows need a grid file (.yml)')
    if args.gpus and args.gpus_per_run > len(args.gpus):
        parser.error(f'--gpus-per-run {args.gpus_per_run} needs as many --gpus, got {args.gpus}')
    if len(set(args.seeds)) < len(args.seeds):
        parser.error(f'--seeds must differ, got {args.seeds}')
    keys = [key for key, *_ in args.grid]
    if len(set(keys)) < len(keys) or not all(values for _, *values in args.grid):
        parser.error('--grid needs values, and each key once')
    return args


def parse_value(text: str) -> object:
    """Parse a Python literal; return other text unchanged."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def main() -> None:
    args = parse_args()
    harden()

    from _features import use_features, write_network
    from _grid import Row, find_files, make_rows
    from _sweep import Sweep

    import mmmsf  # noqa: F401  checks the frameworks and registers the components

    crossed = {key: [parse_value(value) for value in values] for key, *values in args.grid}
    try:
        files = find_files(args.configs)
        rows = make_rows(files, args.base, args.rows, crossed, args.cfg_options)
        if args.features:
            rows = [
                Row(row.name, use_features(row.cfg, args.features), images=row.cfg) for row in rows
            ]
        sweep = Sweep(rows, args, write_network if args.features else None)
        failed = sweep.run()
        sweep.write_tables()
    except (OSError, ValueError) as error:
        raise SystemExit(f'ablate.py: {error}') from error
    if failed:
        raise SystemExit('\n\n'.join(['these runs failed:', *failed]))


if __name__ == '__main__':
    main()
