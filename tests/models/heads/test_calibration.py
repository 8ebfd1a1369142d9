"""The two forms of a calibration, arrays and network, and what neither may change: the order."""

import copy
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from mmpretrain.models.heads import MultiLabelLinearClsHead
from sklearn.metrics import average_precision_score
from torch import nn

from mmmsf.models.heads.calibration import (
    CEILING,
    CalibratedLogits,
    Calibration,
    calibrate_head,
    calibrate_scores,
    calibrate_thresholds,
    is_calibrated,
    score_logits,
)

LINES = Calibration(np.array([0.11, 0.5, 1.0, 2.4, 4.0]), np.array([-3.0, 2.5, 0.25, -3.0, -6.0]))


def network(logits: np.ndarray) -> np.ndarray:
    """Calibrated float32 scores as a head gives them."""
    return CalibratedLogits(LINES)(torch.from_numpy(logits)).sigmoid().numpy()


def test_a_line_and_its_ceiling_in_both_forms() -> None:
    logits = np.random.default_rng(0).normal(0, 5, (200, 5)).astype(np.float32)
    expected = np.empty((200, 5))
    for k, (slope, offset) in enumerate(zip(*LINES, strict=True)):
        for i, x in enumerate(logits[:, k].astype(float)):
            z = slope * x + offset
            z = z if z <= CEILING else CEILING + np.log(1 + z - CEILING)
            expected[i, k] = 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(network(logits), expected, rtol=1e-5, atol=1e-12)
    scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
    np.testing.assert_allclose(calibrate_scores(scores, LINES), expected, rtol=1e-7)
    np.testing.assert_allclose(score_logits([0.5, 0.75]), [0, np.log(3)])
    assert np.isfinite(score_logits([0, 1])).all()


def test_no_two_scores_change_places() -> None:
    """Neighbours of float32, equal ones and both ends; in float64 even neighbours stay apart."""
    one, steps = np.float32(0.5), []
    for start in (1e-12, 1e-4, 0.3, 0.5, 0.9, 1 - 1e-4, 1 - 3e-7):
        one = np.float32(start)
        for _ in range(20):
            steps.append(one)
            one = np.nextafter(one, np.float32(1))
    scores = np.unique(np.array([0.0, *steps, 1.0], np.float32))
    assert scores[0] == 0 and scores[-1] == 1 and len(scores) > 100
    inside = np.repeat(scores[:, None], 5, axis=1)
    assert (np.diff(calibrate_scores(inside, LINES), axis=0) > 0).all()
    assert (np.diff(calibrate_scores(inside, LINES).astype(np.float32), axis=0) >= 0).all()


def test_the_network_keeps_the_order_and_saturates_later_than_the_sigmoid() -> None:
    fine = np.repeat(np.linspace(-30, 90, 400_001, dtype=np.float32)[:, None], 5, axis=1)
    assert (np.diff(network(fine), axis=0) >= 0).all()
    coarse = np.repeat(np.arange(-14, 17, 0.05, dtype=np.float32)[:, None], 5, axis=1)
    assert (np.diff(network(coarse), axis=0) > 0).all()
    assert (network(np.full((1, 5), 17, np.float32)) < 1).all()
    huge = network(np.array([[-1e30] * 5, [1e30] * 5], np.float32))
    assert (huge[0] == 0).all() and (huge[1] <= 1).all()


def test_average_precision_is_that_of_the_logits() -> None:
    """Of logits that differ by 0.01 or not at all; the sigmoid alone makes more of them equal."""
    rng = np.random.default_rng(0)
    targets = rng.random((500, 5)) < 0.2
    logits = np.round(rng.normal(3, 4, (500, 5)) + 4 * targets, 2).astype(np.float32)
    logits = logits.clip(-15, 17)
    logits[100:200] = logits[:100]  # equal scores with other targets
    for k in range(5):
        found, expected = (
            average_precision_score(targets[:, k], x[:, k]) for x in (network(logits), logits)
        )
        assert found == pytest.approx(expected, abs=1e-12)


def test_thresholds_decide_as_before() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 4, (300, 5)).astype(np.float32)
    raw, calibrated = torch.from_numpy(logits).sigmoid().numpy(), network(logits)
    ordered = np.sort(raw, axis=0)
    checked = 0
    for low, high in pairwise(ordered):  # a tuned threshold lies between two scores
        middle = (low + high) / 2
        apart = (high - low > 1e-5 * high) & (high < 0.99)
        same = (calibrated >= calibrate_thresholds(middle, LINES)) == (raw >= middle)
        assert same[:, apart].all()
        checked += int(apart.sum())
        moved = calibrate_thresholds(low, LINES)  # or it is the lowest score itself
        assert moved.dtype == np.float32
        assert (calibrated >= moved)[raw >= low].all()
    assert checked > 1000
    outside = np.array([0, -1, 2, 1.5, 0])
    np.testing.assert_array_equal(calibrate_thresholds(outside, LINES), outside)


def test_a_head_predicts_calibrated_scores_and_keeps_its_weights() -> None:
    head = MultiLabelLinearClsHead(5, 3)
    feats = (torch.randn(4, 3),)
    logits, names = head(feats).detach(), head.state_dict().keys()
    assert not is_calibrated(head) and not is_calibrated(None)
    calibrate_head(head, LINES)
    assert is_calibrated(head) and head.state_dict().keys() == names
    expected = network(logits.numpy())
    for one in (head, copy.deepcopy(head)):
        scores = torch.stack([sample.pred_score for sample in one.predict(feats)])
        np.testing.assert_allclose(scores.detach().numpy(), expected, rtol=1e-5)
    with torch.autocast('cpu', torch.bfloat16):
        assert head(feats).dtype == torch.float32
    with pytest.raises(ValueError, match='MultiLabelLinearClsHead is calibrated already'):
        calibrate_head(head, LINES)


def test_the_exported_graph_is_the_network(tmp_path: Path) -> None:
    pytest.importorskip('onnxscript')
    onnxruntime = pytest.importorskip('onnxruntime')
    logits = np.random.default_rng(0).normal(0, 8, (60, 5)).astype(np.float32)
    torch.onnx.export(
        nn.Sequential(CalibratedLogits(LINES), nn.Sigmoid()).eval(),
        (torch.from_numpy(logits),),
        str(tmp_path / 'm.onnx'),
        dynamo=True,
        verbose=False,
        input_names=['x'],
    )
    session = onnxruntime.InferenceSession(tmp_path / 'm.onnx')
    np.testing.assert_allclose(session.run(None, {'x': logits})[0], network(logits), atol=1e-6)


def test_an_attribute_of_that_name_is_no_calibration() -> None:
    head = nn.Linear(2, 2)
    head.calibration = 'mine'
    assert not is_calibrated(head)
