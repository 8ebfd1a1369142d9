"""A training of seconds on the digits, and the tools run on it in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/msf/msf_resnet18_1xb16-10e_digits-64px.py'
NUM_VAL = 23  # odd: two ranks get 12 each, so one image is sampled twice
TINY = [
    'model.neck.embed_dims=16',
    'model.head.embed_dims=16',
    'model.head.feedforward_channels=16',
    'train_dataloader.dataset.num_images.train=48',
    f'train_dataloader.dataset.num_images.val={NUM_VAL}',
    'val_dataloader.dataset.num_images.train=48',
    f'val_dataloader.dataset.num_images.val={NUM_VAL}',
    'test_dataloader.dataset.num_images.train=48',
    f'test_dataloader.dataset.num_images.val={NUM_VAL}',
    'train_dataloader.num_workers=0',
    'train_dataloader.drop_last=False',  # four ranks have 12 images each, a batch has 16
    'val_dataloader.num_workers=0',
    'test_dataloader.num_workers=0',
    'val_dataloader.batch_size=5',
    'test_dataloader.batch_size=5',
    'train_cfg.max_epochs=2',
    'param_scheduler.end=2',
    'default_hooks.checkpoint.max_keep_ckpts=-1',
    'default_hooks.logger.interval=1',
]


def start_tool(folder: Path, *command: str, processes: int = 1) -> subprocess.CompletedProcess[str]:
    """Run a tool in ``folder``, under torchrun for several processes."""
    tool, *arguments = command
    launch = [sys.executable]
    if processes > 1:
        launch += [
            '-m',
            'torch.distributed.run',
            f'--nproc_per_node={processes}',
            '--master_port=0',
            '--rdzv-backend=c10d',
            '--rdzv-endpoint=localhost:0',
        ]
        arguments += ['--launcher', 'pytorch']
    # a config may import a module of the tests
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    return subprocess.run(
        [*launch, str(ROOT / 'tools' / tool), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def run(folder: Path, *command: str, processes: int = 1) -> str:
    """Run a tool in ``folder`` and return its output; a failure fails the test."""
    done = start_tool(folder, *command, processes=processes)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr
