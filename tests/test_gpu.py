"""What runs on a GPU: ``MMMSF_TEST_GPU=1 pytest tests/test_gpu.py``; skipped without one.

The other tests do not see a GPU, see conftest.py. TF32 is off where devices are compared.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from _machine import use_tf32
from _runtimes import random_batch
from mmengine.config import Config
from mmpretrain.models import ImageClassifier
from torch import Tensor

from mmmsf.apis import MultiLabelInferencer
from mmmsf.checkpoint.loading import build_model
from mmmsf.evaluation import Predictions

from .apis.test_inferencer import write_images
from .helpers.checkpoint_state import assert_same, state_of
from .helpers.run_tool import run_tool
from .helpers.small_checkpoint import small_config, write_checkpoint
from .helpers.tiny_training import CONFIG, NUM_VAL, ROOT, TINY
from .robustness.test_numbers import RECIPE, check_training
from .tools.test_pointing_game import write_inputs

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason='MMMSF_TEST_GPU=1 and a GPU are needed'
)
RECIPES = sorted(
    [
        *ROOT.glob('configs/*/*digits-64px.py'),
        *ROOT.glob('configs/msf/msf-lite*digits-hard-64px.py'),
    ]
)
TWO_EPOCHS = [
    *TINY,
    'custom_hooks.4.type=EMAHook',
    'custom_hooks.4.momentum=0.1',
    'default_hooks.checkpoint.save_best=None',
]  # only the newest are copied below


@pytest.fixture(autouse=True)
def _float32() -> Iterator[None]:
    use_tf32(False)
    yield
    torch.backends.cudnn.allow_tf32 = True  # torch's own choice


def distance(found: Tensor, expected: Tensor) -> float:
    """Norm of the difference over the norm of what is expected."""
    return float((found.double().cpu() - expected.double()).norm() / expected.double().norm())


def gradients(model: ImageClassifier, images: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Of the weighted sum of the logits, which come first."""
    model.zero_grad()
    logits = model(images, mode='tensor')
    (logits * weights).sum().backward()
    return {
        'logits': logits.detach(),
        **{
            name: value.grad.clone()
            for name, value in model.named_parameters()
            if value.grad is not None
        },
    }


@pytest.mark.parametrize('config', RECIPES, ids=lambda path: path.stem)
def test_logits_and_gradients_are_those_of_the_cpu(config: Path) -> None:
    torch.manual_seed(0)
    model = build_model(Config.fromfile(config))
    images = torch.randn(4, 3, 64, 64)
    weights = torch.randn(4, 10)
    expected = gradients(model, images, weights)
    found = gradients(model.cuda(), images.cuda(), weights.cuda())
    assert found.keys() == expected.keys()
    assert distance(found['logits'], expected['logits']) < 1e-5
    norm = max(value.norm() for value in expected.values())
    for name, value in expected.items():  # some are zero but for rounding
        assert (found[name].cpu() - value).norm() < 1e-2 * value.norm() + 1e-5 * norm, name


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('config', RECIPES, ids=lambda path: path.stem)
def test_half_precision_stays_near(config: Path, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = build_model(Config.fromfile(config)).cuda()
    images, _ = random_batch(10, 4, (64, 64), 'cuda')
    with torch.no_grad():
        expected = model(images, mode='tensor')
        with torch.autocast('cuda', dtype):
            found = model(images, mode='tensor')
    assert distance(found, expected.cpu()) < (0.05 if dtype == torch.bfloat16 else 0.01)


@pytest.mark.parametrize(
    'wrapper',
    [
        ['optim_wrapper.type=OptimWrapper'],
        ['optim_wrapper.type=mmmsf.AmpOptimWrapper'],
        ['optim_wrapper.type=AmpOptimWrapper', 'optim_wrapper.dtype=bfloat16'],
    ],
    ids=['float32', 'float16', 'bfloat16'],
)
def test_three_epochs_at_the_extremes_stay_finite(tmp_path: Path, wrapper: list[str]) -> None:
    check_training(
        tmp_path, [*RECIPE, *wrapper], scaled=wrapper != ['optim_wrapper.type=OptimWrapper']
    )


def run(
    folder: Path, tool: str, *arguments: str, launch: tuple[str, ...] = (), **environment: str
) -> str:
    """A tool in a process of its own, as a user runs it; what it printed."""
    done = subprocess.run(
        [sys.executable, *launch, str(ROOT / 'tools' / tool), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env=dict(os.environ, OMP_NUM_THREADS='1', **environment),
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope='module', params=[(), ('--amp',)], ids=['float32', 'amp'])
def trained(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Two deterministic epochs on the GPU in ``full``, and the arguments for them."""
    folder = tmp_path_factory.mktemp('gpu')
    arguments = ['--deterministic', *request.param, '--cfg-options', *TWO_EPOCHS]
    (folder / 'arguments.json').write_text(json.dumps(arguments))
    run(folder, 'train.py', str(CONFIG), '--work-dir', 'full', *arguments)
    return folder


def again(folder: Path, work_dir: str, *first: str) -> None:
    arguments = json.loads((folder / 'arguments.json').read_text())
    run(folder, 'train.py', str(CONFIG), '--work-dir', work_dir, *first, *arguments)
    assert_same(*(state_of(folder / name / 'epoch_2.pth') for name in ('full', work_dir)))


def test_deterministic_trainings_repeat(trained: Path) -> None:
    again(trained, 'again')


def test_a_resumed_training_ends_like_one_that_was_not_stopped(trained: Path) -> None:
    (trained / 'stopped').mkdir()
    shutil.copy(trained / 'full/epoch_1.pth', trained / 'stopped')
    again(trained, 'stopped', '--resume')


@pytest.mark.parametrize('mode', ['bilinear', 'nearest'])
def test_a_deterministic_training_with_each_interpolation(tmp_path: Path, mode: str) -> None:
    """Those of which torch has a deterministic gradient; of the others it says that it has none."""
    run(
        tmp_path,
        'train.py',
        str(CONFIG),
        '--work-dir',
        'run',
        '--deterministic',
        '--cfg-options',
        *TINY,
        f'model.neck.interpolation={mode}',
        'train_cfg.max_epochs=1',
    )


def test_a_deterministic_training_at_another_size(tmp_path: Path, trained: Path) -> None:
    """The position tables are resampled."""
    run(
        tmp_path,
        'train.py',
        str(CONFIG),
        '--work-dir',
        'run',
        '--deterministic',
        '--cfg-options',
        *TINY,
        f'load_from={trained / "full/epoch_2.pth"}',
        'train_cfg.max_epochs=1',
        'model.head.num_positions=3',
    )


def test_one_process_with_nccl(trained: Path) -> None:
    launch = (
        '-m',
        'torch.distributed.run',
        '--nproc_per_node=1',
        '--master_port=0',
        '--rdzv-backend=c10d',
        '--rdzv-endpoint=localhost:0',
    )
    run(
        trained,
        'train.py',
        str(CONFIG),
        '--work-dir',
        'nccl',
        '--launcher',
        'pytorch',
        '--cfg-options',
        *TINY,
        launch=launch,
    )
    run(
        trained,
        'test.py',
        str(CONFIG),
        'nccl/epoch_2.pth',
        '--work-dir',
        'nccl-tested',
        '--launcher',
        'pytorch',
        '--cfg-options',
        *TINY,
        launch=launch,
    )
    metrics = json.loads((trained / 'nccl-tested/test/metrics.json').read_text())
    assert 'mAP' in metrics


def test_a_checkpoint_of_the_gpu_is_tested_without_one(trained: Path) -> None:
    for name, visible in (('gpu', '0'), ('cpu', '')):
        run(
            trained,
            'test.py',
            str(CONFIG),
            'full/epoch_2.pth',
            '--work-dir',
            name,
            '--out',
            f'{name}.npz',
            '--cfg-options',
            *TINY,
            CUDA_VISIBLE_DEVICES=visible,
        )
    gpu, cpu = (Predictions.load(trained / f'{name}.npz') for name in ('gpu', 'cpu'))
    assert gpu.scores.shape == (NUM_VAL, 10)
    np.testing.assert_allclose(gpu.scores, cpu.scores, atol=5e-3)  # TF32 in convolutions


@pytest.fixture(scope='module')
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('small')
    write_images(folder / 'images')
    write_checkpoint(folder / 'model.pth')
    return folder


def test_the_inferencer_agrees(small: Path) -> None:
    results = [
        MultiLabelInferencer(pretrained=small / 'model.pth', device=device)(
            str(small / 'images'),
            batch_size=3,
            return_scores=True,
            return_attention=True,
            show_progress=False,
        )
        for device in ('cpu', None)
    ]
    for cpu, gpu in zip(*results, strict=True):
        np.testing.assert_allclose(gpu['all_scores'], cpu['all_scores'], atol=1e-5)
        for ours, theirs in zip(gpu['attention'], cpu['attention'], strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_tools_where_there_is_a_gpu(small: Path) -> None:
    run(small, 'predict.py', 'model.pth', 'images', '--out-dir', 'shown', '--attention')
    small_config().dump(small / 'cfg.py')
    run(
        small,
        'deployment/export_onnx.py',
        'cfg.py',
        'model.pth',
        '--out',
        'model.onnx',
        '--size',
        '64',
        '64',
        '--image',
        *map(str, sorted((small / 'images').iterdir())),
    )
    run(small, 'publish_model.py', 'model.pth', 'published.pth')


def test_pointing_game(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    tables = [
        run(tmp_path, 'analysis/pointing_game.py', 'cfg.py', 'model.pth', '--device', device)
        for device in ('cpu', 'cuda')
    ]
    tables = [[line for line in table.splitlines() if line.startswith('|')] for table in tables]
    assert tables[0] == tables[1]


def test_benchmarks(tmp_path: Path) -> None:
    quick = ['--device', 'cuda', '--rounds', '2', '--min-seconds', '0']
    modes = 'eager,compiled,bf16,amp,channels_last,folded'
    done = run_tool(
        tmp_path,
        'benchmark/models.py',
        f'{CONFIG}:{modes}',
        '--size',
        '64',
        '--what',
        'inference',
        'train',
        'memory',
        '--parts',
        '--out',
        't.csv',
        *quick,
    )
    assert done.returncode == 0, done.stderr
    assert 'TF32 off' in done.stdout and '| launches |' in done.stdout
    done = run_tool(tmp_path, 'benchmark/head.py', '--batch', '2', '--size', '128', *quick)
    assert done.returncode == 0, done.stderr
    assert 'equal outputs and gradients' in done.stdout
    done = run_tool(tmp_path, 'benchmark/models.py', f'{CONFIG}:onnxruntime', *quick)
    assert done.returncode == 1 and 'runs on the CPU only' in done.stderr
