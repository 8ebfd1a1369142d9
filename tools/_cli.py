"""Command-line arguments and safeguards that the tools share.

MMPretrain takes seconds to import, so the tools parse their arguments first: nothing here may
import it at the top level.
"""

import argparse
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from mmengine.config import DictAction

if TYPE_CHECKING:
    from mmengine.config import Config


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of every OpenMMLab tool."""
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
        help='launcher of a distributed run',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def harden() -> None:
    """Refuse checkpoints that run code when they are loaded, in this process and its children."""
    os.environ.setdefault('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    from mmmsf.checkpoint import secure_checkpoint_loading

    secure_checkpoint_loading()


def run_recorded(work: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> None:
    """Run the work of a tool; under torchrun, record an error for its closing message.

    torchrun then ends with the traceback of the rank that failed first. Without ``record`` it only
    reports exit codes, and the errors of all ranks are mixed in the output.
    """
    if 'TORCHELASTIC_ERROR_FILE' in os.environ:
        from torch.distributed.elastic.multiprocessing.errors import record

        work = record(work)
    work(args)


def load_config(path: str) -> 'Config':
    """Read a config, or exit with one line that names the error."""
    from mmmsf.utils.config_file import read_config

    try:
        return read_config(path)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
