"""Training with extreme numbers stays finite; deterministic training repeats to the bit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmmsf.checkpoint.files import read_checkpoint
from mmmsf.models.losses import AsymmetricLoss
from tests.helpers import half_on_cpu  # noqa: F401  registers it
from tests.helpers.clean_process import start_process
from tests.helpers.run_tool import run_tool
from tests.helpers.tiny_training import CONFIG, TINY

WRAPPERS = {
    'float32': ['optim_wrapper.type=OptimWrapper'],
    'bfloat16': ['optim_wrapper.type=mmmsf.AmpOptimWrapper'],
    'float16': ['optim_wrapper.type=HalfOnCpu'],
}
RECIPE = [
    option.replace('.train=48', '.train=64') for option in TINY if not option.startswith('model.')
]  # its network, on 64 images
NARROW = [  # for float16, whose convolutions on a CPU take a hundred times as long
    'model.backbone.base_channels=4',
    'model.backbone.stem_channels=4',
    'model.neck.in_channels=[16,32]',
]
LOGIT = 6e4  # next to float16's largest number, 65504
CONFIG_TEXT = f"""
_base_ = '{CONFIG}'
custom_hooks = _base_.custom_hooks + [dict(type='Extremes')]
"""


@HOOKS.register_module()
class Extremes(Hook):
    """Give every batch black, white, noisy and ordinary images, and targets of all kinds."""

    def before_train(self, runner: Any) -> None:
        """Start with logits of +-6e4, as a badly scaled checkpoint may give."""
        bias = runner.model.head.fc.bias
        torch.nn.init.constant_(bias, LOGIT)
        with torch.no_grad():
            bias.view(-1)[::2] *= -1

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        inputs, samples = data_batch['inputs'], data_batch['data_samples']
        for index, value in enumerate((0, 255, torch.randint(0, 2, inputs.shape[1:]) * 255)):
            inputs[index::4] = value
        for index, target in enumerate((0.0, 1.0, -1.0)):
            for sample in samples[index::5]:
                sample.gt_score.fill_(target)


def train(folder: Path, options: list[str]) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """Train three epochs; return the last checkpoint and the log of each step."""
    (folder / 'config.py').write_text(CONFIG_TEXT)
    done = run_tool(
        folder,
        'train.py',
        str(folder / 'config.py'),
        '--work-dir',
        'run',
        '--cfg-options',
        *options,
        'train_cfg.max_epochs=3',
        'param_scheduler.end=3',
    )
    assert done.returncode == 0, done.stderr
    (log,) = folder.glob('run/*/vis_data/scalars.json')
    return (
        read_checkpoint(folder / 'run/epoch_3.pth'),
        [line for line in map(json.loads, log.read_text().splitlines()) if 'loss' in line],
    )


def check_training(folder: Path, options: list[str], scaled: bool) -> None:
    """Train and check; with ``scaled`` a gradient may overflow until the loss scaler adapts."""
    checkpoint, log = train(folder, options)
    assert np.isfinite([step['loss'] for step in log]).all()
    if not scaled:
        assert np.isfinite([step['grad_norm'] for step in log]).all()
    assert log[0]['loss'] > LOGIT  # the extremes are in it
    for key, value in checkpoint['state_dict'].items():
        assert value.isfinite().all(), key
    state = checkpoint['optimizer']['state']
    assert state, 'the optimizer never stepped'
    for value in state.values():
        assert all(torch.as_tensor(number).isfinite().all() for number in value.values())


@pytest.mark.parametrize(
    'dtype',
    ['bfloat16', *(pytest.param(name, marks=pytest.mark.slow) for name in ('float32', 'float16'))],
)
def test_three_epochs_stay_finite(tmp_path: Path, dtype: str) -> None:
    narrow = NARROW if dtype == 'float16' else []
    check_training(tmp_path, [*TINY, *narrow, *WRAPPERS[dtype]], dtype == 'float16')


@pytest.mark.slow
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_three_epochs_of_the_recipe_stay_finite(tmp_path: Path, dtype: str) -> None:
    check_training(tmp_path, [*RECIPE, *WRAPPERS[dtype]], False)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize('target', [0.0, 1.0, -1.0, 0.5])
@pytest.mark.parametrize('detach', [True, False])
def test_the_loss_is_finite_for_every_finite_logit(
    dtype: torch.dtype, target: float, detach: bool
) -> None:
    """From the type's smallest number to its largest, either sign, and their neighbours."""
    info = torch.finfo(dtype)
    logits = torch.tensor(
        [0.0, info.smallest_normal, info.eps, 1.0, 1e4, 6e4, info.max / 2, info.max]
    ).to(dtype)
    pred = torch.cat([logits, -logits]).requires_grad_()
    for gamma_pos, gamma_neg, clip in ((0, 4, 0), (0.5, 0.5, 0.05), (1, 0, 0.99), (0, 0, 0)):
        loss_module = AsymmetricLoss(gamma_pos, gamma_neg, clip, detach, reduction='none')
        loss = loss_module(pred[None], torch.full_like(pred, target)[None])
        (grad,) = torch.autograd.grad(loss.sum(), pred)
        assert loss.isfinite().all() and (loss >= 0).all()
        assert grad.isfinite().all()
        if target == -1:
            assert not loss.any() and not grad.any()
    # A mistake of any confidence costs its logit, and its slope does not vanish.
    if target in (0.0, 1.0):
        wrong = loss[0, len(logits) - 1 if target == 0 else -1]
        torch.testing.assert_close(wrong, torch.tensor(info.max))
        assert grad[len(logits) - 1 if target == 0 else -1].abs() == 1


def _train_seeded(folder: Path, work_dir: str, seed: int) -> None:
    done = run_tool(
        folder,
        'train.py',
        str(CONFIG),
        '--work-dir',
        work_dir,
        '--deterministic',
        '--seed',
        str(seed),
        '--cfg-options',
        *TINY,
        'train_dataloader.num_workers=1',
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_deterministic_trainings_repeat(tmp_path: Path) -> None:
    """``--deterministic --seed 0`` twice gives equal bits; another seed gives others."""
    states = []
    for work_dir, seed in (('one', 0), ('two', 0), ('other', 1)):
        process = start_process(_train_seeded, tmp_path, work_dir, seed)  # the mode is a process's
        process.join(timeout=120)
        assert process.exitcode == 0
        states.append(read_checkpoint(tmp_path / work_dir / 'epoch_2.pth')['state_dict'])
    one, two, other = states
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert not torch.equal(one['head.fc.weight'], other['head.fc.weight'])
