"""A training of milliseconds in which some batches have a loss that is not finite."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.utils.data import DataLoader

GOOD, BAD = 'good', 'bad'


class Images:
    """Hold one image of 3 numbers for each name; those whose name starts with 'bad' are NaN."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        name = self.names[index]
        generator = np.random.default_rng(list(name.encode()))
        numbers = torch.tensor(generator.normal(size=3), dtype=torch.float32)
        sample = DataSample(metainfo=dict(img_path=f'{name}.png'))
        return dict(inputs=numbers * (np.nan if name.startswith(BAD) else 1), data_samples=sample)


def batch_of(samples: list[dict[str, Any]]) -> dict[str, Any]:
    return dict(
        inputs=torch.stack([sample['inputs'] for sample in samples]),
        data_samples=[sample['data_samples'] for sample in samples],
    )


class Net(BaseModel):
    """Two layers with batch norm between, and two losses, one of which is always finite."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor') -> Any:
        outputs = self.layers(inputs)[:, 0].float()
        return dict(
            loss_fit=(outputs - 1).square().mean(),
            loss_size=[self.layers[0].weight.square().mean()],
            accuracy=torch.tensor(0.5),
        )


class Keep(Hook):
    """Keep the state of the model before each step."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.states: list[dict[str, Tensor]] = []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self.states.append({key: value.clone() for key, value in state_of(runner).items()})


def state_of(runner: Runner) -> dict[str, Tensor]:
    model = runner.model
    return getattr(model, 'module', model).state_dict()


def make_runner(
    folder: Path,
    names: list[str],
    batch_size: int = 2,
    hooks: tuple[Hook, ...] = (),
    optim_wrapper: Any = None,
    **kwargs: Any,
) -> Runner:
    """Build a run of one epoch over the images in order, with Adam and the hook under test."""
    wrapper = {'type': 'OptimWrapper', **(optim_wrapper or {})}
    return Runner(
        Net(),
        str(folder),
        DataLoader(Images(names), batch_size, collate_fn=batch_of),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=1e-2), **wrapper),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1),
            non_finite=dict(type='mmmsf.NonFiniteLossHook'),
        ),
        custom_hooks=list(hooks),
        log_level='ERROR',
        randomness=dict(seed=0),
        experiment_name=f'{folder.name}_{np.random.default_rng().integers(2**62)}',
        **kwargs,
    )


def images(*kinds: str, batch_size: int = 2) -> list[str]:
    """Name the images of batches of these kinds; in a bad batch the last image is bad."""
    return [
        f'{kind if place == batch_size - 1 else GOOD}{number}-{place}'
        for number, kind in enumerate(kinds)
        for place in range(batch_size)
    ]
