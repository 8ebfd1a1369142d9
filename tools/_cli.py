"""Command-line arguments and safeguards that the tools share.

MMPretrain takes seconds to import, so the tools parse their arguments first: nothing here may
import it at the top level.
"""

import argparse
import contextlib
import io
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

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


def add_calibration_argument(parser: argparse.ArgumentParser) -> None:
    """Add the choice between calibrated scores and those that the network was trained to give."""
    parser.add_argument(
        '--calibration',
        action=argparse.BooleanOptionalAction,
        help="calibrate the scores by the checkpoint's own calibration (written by "
        'tools/analysis/calibrate.py; default: where it has one)',
    )


def add_fast_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a forward pass (``mmmsf.engine.FastOptions``)."""
    group = parser.add_argument_group('forward pass')
    group.add_argument(
        '--amp',
        action='store_true',
        help='mixed precision: bfloat16, on a GPU without it float16',
    )
    group.add_argument(
        '--compile',
        action='store_true',
        help='torch.compile, on a GPU with CUDA graphs; worth its minute for many images',
    )
    group.add_argument(
        '--no-fold', dest='fold', action='store_false', help='keep batch norms as they are'
    )
    group.add_argument(
        '--no-channels-last',
        dest='channels_last',
        action='store_false',
        help='keep the memory layout NCHW',
    )


def fast_options(args: argparse.Namespace) -> dict[str, bool]:
    """Return the fields of ``mmmsf.engine.FastOptions`` in the arguments."""
    return {name: getattr(args, name) for name in ('fold', 'channels_last', 'amp', 'compile')}


def add_verbose_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option for everything on the console that else only the log file has."""
    parser.add_argument(
        '--verbose',
        action='store_true',
        help='also show the environment, the config, the hooks and the options of every parameter, '
        'which the log file has in any case, and what other packages say when they are imported',
    )


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """Drop two notes on parts of MMCV and MMPretrain that nothing here uses.

    MMCV warns in its version without compiled operators, MMPretrain prints where another
    package of its maintainers is missing. All else that the block prints or warns of is shown.
    """
    printed = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
            warnings.filterwarnings(
                'ignore',
                'Fail to import ``MultiScaleDeformableAttention``',
                UserWarning,
                r'mmcv\.cnn\.bricks\.transformer',
            )
            yield
    finally:
        for line in printed.getvalue().splitlines():
            if line != 'Could not import OneDL':
                print(line)


def harden(verbose: bool = False) -> None:
    """Refuse checkpoints that run code when they are loaded, in this process and its children.

    Args:
        verbose: Show all that other packages say when they are imported.
    """
    os.environ.setdefault('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    with contextlib.nullcontext() if verbose else quiet_imports():
        from mmmsf.checkpoint import secure_checkpoint_loading

    secure_checkpoint_loading()


def run_recorded(work: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> None:
    """Run the work of a tool; under torchrun, record an error for its closing message.

    torchrun then ends with the traceback of the rank that failed first. Without ``record`` it only
    reports exit codes, and the errors of all ranks are mixed in the output. At the end the ranks
    leave their process group.
    """
    if 'TORCHELASTIC_ERROR_FILE' in os.environ:
        from torch.distributed.elastic.multiprocessing.errors import record

        work = record(work)
    work(args)
    from mmengine.dist import is_distributed

    if is_distributed():
        from torch.distributed import destroy_process_group

        destroy_process_group()  # a rank that just exits may be aborted while another works


def load_config(path: str, options: Mapping[str, Any] | None = None) -> 'Config':
    """Read a config, or exit with one line that names the error.

    Args:
        path: Config file.
        options: Overrides of its values, by dotted keys.
    """
    from mmmsf.utils.config_file import read_config

    try:
        cfg = read_config(path)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    apply_options(cfg, options, path)
    return cfg


def apply_options(cfg: 'Config', options: Mapping[str, Any] | None, path: str) -> None:
    """Change values of a config by dotted keys, or exit with one line that names the error."""
    from mmmsf.utils.config_file import merge_options

    try:
        merge_options(cfg, options, path)
    except ValueError as error:
        raise SystemExit(f'error: {error}') from error
