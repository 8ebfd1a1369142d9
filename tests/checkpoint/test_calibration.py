"""A calibration in the meta data of a checkpoint, and what loads it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmmsf.apis import MultiLabelInferencer, load_model
from mmmsf.checkpoint.calibration import calibration_of, store_calibration
from mmmsf.checkpoint.files import read_checkpoint
from mmmsf.models.heads.calibration import (
    Calibration,
    calibrate_scores,
    calibrate_thresholds,
)
from tests.helpers.small_checkpoint import CLASSES, write_checkpoint

LINES = Calibration(np.array([0.5, 1.0, 2.0, 3.0, 1.5]), np.array([-1.0, 0.0, 1.0, -2.0, 0.5]))
THRESHOLDS = [0.5, 0.4, 0.6, 0.5, 0.45]
QUIET = dict(show_progress=False, return_scores=True)


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint x.pth, with thresholds, and its calibrated copy y.pth."""
    folder = tmp_path_factory.mktemp('calibration')
    write_checkpoint(folder / 'x.pth', thresholds=THRESHOLDS)
    store_calibration(folder / 'x.pth', folder / 'y.pth', LINES, CLASSES)
    return folder


def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(6)]


def test_nothing_else_changes(folder: Path) -> None:
    before, after = (read_checkpoint(folder / name) for name in ('x.pth', 'y.pth'))
    stored = after['meta'].pop('calibration')
    assert stored == dict(slopes=LINES.slopes.tolist(), offsets=LINES.offsets.tolist())
    assert after['meta'] == before['meta']
    for name, value in before['state_dict'].items():
        assert torch.equal(after['state_dict'][name], value)
    with pytest.raises(ValueError, match='the same names in another order'):
        store_calibration(folder / 'x.pth', folder / 'z.pth', LINES, CLASSES[::-1])


def test_the_labels_stay_and_the_scores_are_calibrated(folder: Path) -> None:
    raw = MultiLabelInferencer(pretrained=folder / 'x.pth', device='cpu')
    calibrated = MultiLabelInferencer(pretrained=folder / 'y.pth', device='cpu')
    assert calibrated.loaded.calibrated and not raw.loaded.calibrated
    np.testing.assert_array_equal(
        calibrated.thresholds, calibrate_thresholds(np.float32(THRESHOLDS), LINES)
    )
    labels = 0
    for one, two in zip(raw(images(), **QUIET), calibrated(images(), **QUIET), strict=True):
        expected = calibrate_scores(one['all_scores'], LINES)
        np.testing.assert_allclose(two['all_scores'], expected, rtol=1e-5)
        assert set(one['labels']) == set(two['labels'])
        assert two['calibrated'] is True and 'calibrated' not in one
        labels += len(one['labels'])
    assert 0 < labels < 30


def test_the_caller_chooses(folder: Path) -> None:
    image = images()[0]
    raw = MultiLabelInferencer(pretrained=folder / 'x.pth', device='cpu')(image, **QUIET)[0]
    left = MultiLabelInferencer(pretrained=folder / 'y.pth', device='cpu', calibrated=False)
    np.testing.assert_array_equal(left(image, **QUIET)[0]['all_scores'], raw['all_scores'])
    np.testing.assert_allclose(left.thresholds, THRESHOLDS)
    with pytest.raises(ValueError, match=r'x\.pth carries no calibration; .*calibrate\.py'):
        load_model(folder / 'x.pth', device='cpu', calibrated=True)
    with pytest.raises(ValueError, match='`calibrated` must be False or None .*, got True'):
        MultiLabelInferencer(left.loaded, calibrated=True)


def test_thresholds_of_the_head_and_the_caller_are_of_the_scores_shown(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / 'x.pth')
    store_calibration(tmp_path / 'x.pth', tmp_path / 'x.pth', LINES, CLASSES)
    loaded = load_model(tmp_path / 'x.pth', device='cpu')
    np.testing.assert_array_equal(loaded.thresholds, np.full(5, 0.5, np.float32))
    assert MultiLabelInferencer(loaded, thresholds=0.8).thresholds.tolist() == [np.float32(0.8)] * 5


@pytest.mark.parametrize(
    'wrong',
    [
        'yes',
        dict(slopes=[1.0] * 5),
        dict(slopes=[1.0] * 4, offsets=[0.0] * 5),
        dict(slopes=[1.0, 1, 1, 1, 0], offsets=[0.0] * 5),
        dict(slopes=[1.0] * 5, offsets=[0.0, 0, 0, 0, float('nan')]),
        dict(slopes=['a'] * 5, offsets=[0.0] * 5),
    ],
)
def test_a_calibration_that_is_none_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r'in x\.pth must have 5 finite `slopes` above 0'):
        calibration_of(dict(calibration=wrong), 5, 'x.pth')
    assert calibration_of(dict(calibration=wrong), 5, 'x.pth', False) is None
    assert calibration_of({}, 5, 'x.pth') is None
