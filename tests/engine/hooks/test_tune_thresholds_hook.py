"""Tuning after a validation, and storing; a training with the hook is in tests/tools."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mmmsf.checkpoint.files import read_checkpoint
from mmmsf.engine import TuneThresholdsHook
from mmmsf.engine.hooks.tune_thresholds_hook import tuned_thresholds
from mmmsf.evaluation import MultiLabelMetric
from mmmsf.evaluation.rows import EvaluationRows
from mmmsf.evaluation.tuning import tune_frequent_classes
from tests.helpers.small_checkpoint import write_checkpoint


@pytest.fixture
def runner(tmp_path: Path) -> Any:
    """What the hook reads of a runner after step 7, with rows that ``validate`` sets."""
    write_checkpoint(tmp_path / 'x.pth', iter=7)
    metric = MultiLabelMetric(thr=0.4)
    return SimpleNamespace(
        val_loop=SimpleNamespace(evaluator=SimpleNamespace(metrics=[SimpleNamespace(), metric])),
        message_hub=SimpleNamespace(runtime_info=dict(last_ckpt=str(tmp_path / 'x.pth'))),
        logger=logging.getLogger('tuning'),
        iter=7,
        hooks=[],
    )


def validate(hook: TuneThresholdsHook, runner: Any) -> EvaluationRows:
    """Run the hook around a validation of 40 images and 5 classes, the last one rare."""
    hook.before_val_epoch(runner)
    metric, random = runner.val_loop.evaluator.metrics[1], np.random.default_rng(0)
    targets = (random.random((40, 5)) < 0.4).astype(np.int8)
    targets[:, 4] = 0
    targets[:2, 4] = 1
    scores = (0.3 * targets + 0.7 * random.random((40, 5))).astype(np.float32)
    rows = EvaluationRows(scores, targets, targets, np.arange(40))
    metric.rows = rows if metric.keep_rows else None
    hook.after_val_epoch(runner)
    return rows


def stored(runner: Any) -> list[float] | None:
    return read_checkpoint(runner.message_hub.runtime_info['last_ckpt'])['meta'].get('thresholds')


def test_values_are_those_of_the_function_and_reach_the_files(
    runner: Any, caplog: pytest.LogCaptureFixture
) -> None:
    hook = TuneThresholdsHook()
    rows = validate(hook, runner)
    expected = tune_frequent_classes(rows.scores, rows.targets, default=0.4).values
    assert expected[4] == np.float32(0.4) and (expected[:4] != np.float32(0.4)).all()
    runner.hooks = [SimpleNamespace(), hook]
    np.testing.assert_array_equal(tuned_thresholds(runner), expected)
    best: dict[str, Any] = dict(meta=dict(iter=7))
    hook.before_save_checkpoint(runner, best)
    assert best['meta'] == dict(iter=7, thresholds=expected.tolist())
    before = read_checkpoint(runner.message_hub.runtime_info['last_ckpt'])
    with caplog.at_level(logging.INFO, 'tuning'):
        hook.after_train(runner)
    after = read_checkpoint(runner.message_hub.runtime_info['last_ckpt'])
    assert after['meta'] == {**before['meta'], 'thresholds': expected.tolist()}
    assert after.keys() == before.keys()
    assert '1 of 5 classes have fewer than 5 positives and keep 0.4' in caplog.text
    assert 'tuned on these images' in caplog.text


def test_weights_that_change_have_no_thresholds(
    runner: Any, caplog: pytest.LogCaptureFixture
) -> None:
    hook = TuneThresholdsHook()
    validate(hook, runner)
    hook.before_train_iter(runner, 0)
    checkpoint: dict[str, Any] = dict(meta={})
    hook.before_save_checkpoint(runner, checkpoint)
    with caplog.at_level(logging.INFO, 'tuning'):
        hook.after_train(runner)
    assert checkpoint['meta'] == {} and stored(runner) is None
    assert 'No thresholds tuned in this run' in caplog.text


def test_disabled(runner: Any) -> None:
    hook = TuneThresholdsHook(enabled=False)
    validate(hook, runner)
    hook.after_train(runner)
    assert hook.values is None and stored(runner) is None
    assert tuned_thresholds(runner) is None


def test_another_checkpoint_than_the_validated_one_is_left_alone(
    runner: Any, caplog: pytest.LogCaptureFixture
) -> None:
    hook = TuneThresholdsHook()
    validate(hook, runner)
    runner.iter = 9
    with caplog.at_level(logging.INFO, 'tuning'):
        hook.after_train(runner)
        assert stored(runner) is None
        assert 'x.pth is older than the last validation' in caplog.text
        runner.message_hub.runtime_info['last_ckpt'] = 's3://bucket/x.pth'
        hook.after_train(runner)
    assert 'no local file s3://bucket/x.pth' in caplog.text


def test_a_failed_write_leaves_the_checkpoint(runner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(one: Path, other: Path) -> None:
        raise OSError(28, 'no space')

    hook = TuneThresholdsHook()
    validate(hook, runner)
    path = Path(runner.message_hub.runtime_info['last_ckpt'])
    before = path.read_bytes()
    monkeypatch.setattr('mmmsf.utils.atomic_file.os.replace', refuse)
    with pytest.raises(OSError, match='no space'):
        hook.after_train(runner)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ['x.pth']


def test_min_positives() -> None:
    with pytest.raises(ValueError, match='min_positives must be at least 1, got 0'):
        TuneThresholdsHook(min_positives=0)
