"""The raw weights must be evaluated as they are, the average as MMEngine does it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmmsf.engine import EMAWithRawEvalHook


class Constant(BaseModel):
    """One number; each step of SGD at lr 1 adds 1 to it."""

    def __init__(self) -> None:
        super().__init__()
        self.number = nn.Parameter(torch.zeros(()))

    def forward(self, inputs: Tensor, mode: str = 'tensor') -> dict[str, Tensor] | list[float]:
        return dict(loss=-self.number) if mode == 'loss' else [float(self.number)]


class Last(BaseMetric):
    """The last output."""

    def process(self, data_batch: Tensor, data_samples: Sequence[float]) -> None:
        self.results += data_samples

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        return dict(value=results[-1])


@pytest.mark.parametrize('evaluate_raw', [True, False])
def test_both_are_evaluated(tmp_path: Path, evaluate_raw: bool) -> None:
    seen: list[dict[str, float]] = []
    hook = EMAWithRawEvalHook(evaluate_raw=evaluate_raw, momentum=0.25)

    runner = Runner(
        Constant(),
        str(tmp_path),
        train_dataloader=DataLoader([dict(inputs=torch.zeros(1))] * 3),
        val_dataloader=DataLoader([dict(inputs=torch.zeros(1))]),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        val_cfg=dict(),
        val_evaluator=[Last(prefix='m')],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.0)),
        custom_hooks=[hook],
        default_hooks=dict(checkpoint=None),
        experiment_name=tmp_path.name,
    )
    original = hook.after_val_epoch

    def watch(runner: Runner, metrics: dict[str, float]) -> None:
        original(runner, metrics)
        seen.append(dict(metrics))

    hook.after_val_epoch = watch  # type: ignore[method-assign]
    runner.train()
    # After steps to 1, 2, 3: average 1 (the first step copies), 1.25, 1.6875
    averages = [1.0]
    for step in range(2, 7):
        averages.append(0.75 * averages[-1] + 0.25 * step)
    assert [one['m/value'] for one in seen] == pytest.approx([averages[2], averages[5]])
    raw = [one.get('raw/m/value') for one in seen]
    assert raw == ([3.0, 6.0] if evaluate_raw else [None, None])
    assert float(runner.model.number) == 6.0  # training goes on from the raw weights
