"""Preparations of a test run: the checkpoint must fit, class thresholds take effect."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.runner import Runner

from mmmsf.checkpoint.files import read_checkpoint
from mmmsf.checkpoint.fit import check_classes, checkpoint_classes, load_weights
from mmmsf.evaluation import MultiLabelMetric
from mmmsf.utils.unwrap import unwrap_model


def check_test_run(runner: Runner, checkpoint: str | Path) -> None:
    """Refuse to test a checkpoint of another network or other classes.

    MMEngine loads the weights that fit and only warns of the others, so that a test would measure
    random ones.

    Args:
        runner: built for testing, not yet run.
        checkpoint: what it will load.

    Raises:
        FileNotFoundError: there is no such checkpoint.
        ValueError: it cannot be read or does not fit.
    """
    found = read_checkpoint(checkpoint)
    model = unwrap_model(runner.model)
    state = {re.sub(r'^module\.', '', name): value for name, value in found['state_dict'].items()}
    load_weights(model, state, str(checkpoint))
    classes = getattr(runner.test_dataloader.dataset, 'metainfo', {}).get('classes')
    if classes is not None:
        check_classes(checkpoint_classes(found['meta']), classes, str(checkpoint), 'the test set')


def use_thresholds(runner: Runner, values: Sequence[float]) -> None:
    """Let a test decide by class thresholds: predicted labels, and the metric's tuned keys.

    Args:
        runner: built, not yet run.
        values: K thresholds.

    Raises:
        ValueError: K is not the number of classes of the model.
    """
    model = unwrap_model(runner.model)
    head = model.head
    if len(values) != head.num_classes:
        raise ValueError(
            f'the checkpoint has {len(values)} thresholds, the model {head.num_classes} classes'
        )
    head.thr = torch.tensor(values, device=next(model.parameters()).device)
    for metric in runner.test_evaluator.metrics:
        if isinstance(metric, MultiLabelMetric):
            metric.class_thr = tuple(values)
