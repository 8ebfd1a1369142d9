"""Preparations of a test run: checkpoint check, calibration and class thresholds."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.runner import Runner

from mmmsf.checkpoint.calibration import calibration_of
from mmmsf.checkpoint.files import read_checkpoint
from mmmsf.checkpoint.fit import check_classes, check_groups, checkpoint_classes, load_weights
from mmmsf.evaluation import MultiLabelMetric
from mmmsf.models.decisions import model_groups
from mmmsf.models.heads.calibration import (
    Calibration,
    calibrate_head,
    calibrate_thresholds,
)
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


def use_calibration(
    runner: Runner, checkpoint: str | Path, wanted: bool | None
) -> Calibration | None:
    """Calibrate the scores of a test run by the calibration in the checkpoint.

    Args:
        runner: Runner, not yet run.
        checkpoint: File that the runner will load.
        wanted: True requires a calibration, False leaves it, None takes it where there is one.

    Returns:
        The calibration that the run uses, if any.

    Raises:
        ValueError: There is none and it is required, or it does not fit the model.
    """
    head = unwrap_model(runner.model).head
    num_classes = head_num_classes(head, runner.cfg)
    found = calibration_of(read_checkpoint(checkpoint)['meta'], num_classes, checkpoint, wanted)
    if found is not None:
        calibrate_head(head, found)
        for metric in runner.test_evaluator.metrics:
            if isinstance(metric, MultiLabelMetric):
                metric.calibrated = True
    return found


def use_thresholds(
    runner: Runner, values: Sequence[float], calibration: Calibration | None = None
) -> None:
    """Set class thresholds for the predicted labels and for the metric's tuned keys.

    Args:
        runner: Runner, not yet run.
        values: K thresholds of scores that are not calibrated, as checkpoints carry them.
        calibration: Calibration that the run uses.

    Raises:
        ValueError: K is not the number of classes of the model.
    """
    model = unwrap_model(runner.model)
    num_classes = head_num_classes(model.head, runner.cfg)
    if len(values) != num_classes:
        raise ValueError(
            f'the checkpoint has {len(values)} thresholds, the model {num_classes} classes'
        )
    if calibration is not None:
        values = calibrate_thresholds(values, calibration).tolist()
    model.head.thr = torch.tensor(values, device=next(model.parameters()).device)
    for metric in runner.test_evaluator.metrics:
        if isinstance(metric, MultiLabelMetric):
            metric.class_thr = tuple(values)
