from pathlib import Path
from typing import Any

import pytest

from mmmsf.engine import LabelCountHook
from mmmsf.engine.hooks import label_count_hook
from mmmsf.models import DistributionBalancedLoss
from tests.helpers.small_run import NoisyNumbers, make_runner


def train(folder: Path, loss: Any) -> None:
    runner = make_runner(folder, dict(interval=8, by_epoch=False), [LabelCountHook()])
    runner.model.loss = loss
    runner.train()


def test_the_loss_gets_the_counts_of_the_training_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(label_count_hook, 'print_log', lambda line, **_: lines.append(line))
    loss = DistributionBalancedLoss(kappa=2.0, neg_scale=1.0)
    train(tmp_path, loss)
    assert loss.counts.tolist() == [10, 1, 1], '11 and 0 of 11 images leave one on either side'
    assert loss.shift.tolist() == pytest.approx([4.605, -4.605, -4.605], abs=1e-3)
    (line,) = lines
    assert '0 to 11 of 11 images a class, median 1; 1 of 3 classes without an image' in line


def test_a_dataset_without_counts_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(NoisyNumbers, 'label_counts')
    with pytest.raises(ValueError, match=r'needs a training set with `label_counts\(\)`'):
        train(tmp_path, DistributionBalancedLoss())
    train(tmp_path / 'other', None)  # no such loss, no such need
