"""Preparations of a test run: checkpoint check and class thresholds."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.runner import Runner

from mmmsf.checkpoint.files import read_checkpoint
from mmmsf.checkpoint.fit import check_classes, check_groups, checkpoint_classes, load_weights
from mmmsf.evaluation import MultiLabelMetric
from mmmsf.models.decisions import model_groups
from mmmsf.models.heads.contract import head_num_classes
from mmmsf.utils.unwrap import unwrap_model


def check_test_run(runner: Runner, checkpoint: str | Path) -> None:
    """Check that a checkpoint fits the network and the classes of a test run.

    MMEngine loads the weights that fit and only warns of the others, so that a test would measure
    random ones.

    Args:
        runner: Runner built for testing, not yet run.
        checkpoint: File that the runner will load.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        ValueError: It cannot be read or does not fit.
    """
    found = read_checkpoint(checkpoint)
    model = unwrap_model(runner.model)
    state = {re.sub(r'^module\.', '', name): value for name, value in found['state_dict'].items()}
    load_weights(model, state, str(checkpoint))
    check_groups(found['meta'], model_groups(model), str(checkpoint), 'the config')
    classes = getattr(runner.test_dataloader.dataset, 'metainfo', {}).get('classes')
    if classes is not None:
        check_classes(checkpoint_classes(found['meta']), classes, str(checkpoint), 'the test set')


def use_thresholds(runner: Runner, values: Sequence[float]) -> None:
    """Set class thresholds for the predicted labels and for the metric's tuned keys.

    Args:
        runner: Runner, not yet run.
        values: K thresholds.

    Raises:
        ValueError: K is not the number of classes of the model.
    """
    model = unwrap_model(runner.model)
    num_classes = head_num_classes(model.head, runner.cfg)
    if len(values) != num_classes:
        raise ValueError(
            f'the checkpoint has {len(values)} thresholds, the model {num_classes} classes'
        )
    model.head.thr = torch.tensor(values, device=next(model.parameters()).device)
    for metric in runner.test_evaluator.metrics:
        if isinstance(metric, MultiLabelMetric):
            metric.class_thr = tuple(values)
