"""Command-line arguments that train.py and test.py share.

MMPretrain takes seconds to import, so the tools parse their arguments first:
nothing here may import it.
"""

import argparse
import os
from typing import TYPE_CHECKING

from mmengine.config import DictAction

if TYPE_CHECKING:
    from mmengine.config import Config


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that MM users know from every OpenMMLab tool."""
    parser.add_argument(
        '--work-dir',
        help='folder for logs, metrics, pictures and checkpoints '
        '(default: work_dirs/<config name>)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='overrides of config values, for example model.neck.fuse=False or '
        'optim_wrapper.optimizer.lr=2e-4',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes of a distributed run',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def harden() -> None:
    """Refuse checkpoints that run code when they are loaded, in this process and its children."""
    os.environ.setdefault('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')


def load_config(path: str) -> 'Config':
    """Read a config, or end with one line that says what is wrong with it."""
    from mmmsf.utils.config_file import read_config

    try:
        return read_config(path)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
