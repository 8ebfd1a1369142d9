"""A training of milliseconds, for tests of the loop and the checkpoint hook."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from torch import Tensor, nn

LENGTH = 11  # images


@DATASETS.register_module()
class NoisyNumbers:
    """Item i is i and a random number."""

    def __len__(self) -> int:
        return LENGTH

    def __getitem__(self, index: int) -> Tensor:
        return torch.tensor([index / LENGTH, np.random.rand()], dtype=torch.float32)

    def get_cat_ids(self, index: int) -> list[int]:
        return [0] if index else [0, 1]

    def label_counts(self) -> np.ndarray:
        return np.array([LENGTH, 1, 0])


class Net(BaseModel):
    """Learn the sum of the inputs with two layers and dropout."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 1))

    def forward(self, inputs: Tensor, mode: str = 'tensor') -> Any:
        outputs = self.layers(inputs)[:, 0]
        return (
            dict(loss=(outputs - inputs.sum(1)).square().mean())
            if mode == 'loss'
            else [float(outputs.detach().mean())]
        )

    def train_step(self, data: Tensor, optim_wrapper: Any) -> dict[str, Tensor]:
        with optim_wrapper.optim_context(self):
            losses = self(data, mode='loss')
        optim_wrapper.update_params(losses['loss'])
        return losses

    def val_step(self, data: Tensor) -> list[float]:
        return self(data)


class Mean(BaseMetric):
    """Compute a number that rises and falls."""

    def process(self, data_batch: Tensor, data_samples: Sequence[float]) -> None:
        self.results += data_samples

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        return dict(value=float(np.mean(results)) + float(np.random.rand()))


class StopError(Exception):
    """The early end of a run."""


class StopHook(Hook):
    """Raise :class:`StopError` in a step or validation of the process, by its number."""

    priority = 'HIGHEST'

    def __init__(self, moment: str, number: int) -> None:
        self.moment, self.left = moment, number

    def _count(self, moment: str) -> None:
        self.left -= moment == self.moment
        if moment == self.moment and self.left == 0:
            raise StopError

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self._count('step')

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self._count('validation')


class QuickRunner(Runner):
    """A runner that does not query the compilers of the machine."""

    def _log_env(self, env_cfg: dict) -> None:
        pass


def loader(batch_size: int = 2) -> dict[str, Any]:
    return dict(
        dataset=dict(type='NoisyNumbers'),
        batch_size=batch_size,
        num_workers=0,
        sampler=dict(type='DefaultSampler'),
        collate_fn=dict(type='default_collate'),
    )


def make_runner(
    folder: Path, checkpoint: dict[str, Any], hooks: Sequence[Hook] = (), **kwargs: Any
) -> Runner:
    """Build a run of two epochs of six steps; ``checkpoint`` are arguments of the hook."""
    arguments: dict[str, Any] = dict(
        train_dataloader=loader(),
        val_dataloader=loader(4),
        val_cfg=dict(),
        train_cfg=dict(type='mmmsf.ResumableTrainLoop', max_epochs=2),
        val_evaluator=[Mean(prefix='m')],
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=1e-2)),
        param_scheduler=[
            dict(
                type='ReduceOnPlateauLR', monitor='m/value', patience=0, rule='less', by_epoch=True
            )
        ],
        randomness=dict(seed=3),
    )
    return QuickRunner(
        Net(),
        str(folder),
        **{**arguments, **kwargs},
        custom_hooks=[dict(type='EMAHook', momentum=0.3), *hooks],
        log_level='ERROR',
        default_hooks=dict(checkpoint=dict(type='mmmsf.AtomicCheckpointHook', **checkpoint)),
        experiment_name=f'{folder.name}_{np.random.default_rng().integers(2**62)}',
    )
