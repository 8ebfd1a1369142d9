from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.logging import MMLogger
from mmpretrain.models import ImageClassifier
from torch import nn

from mmmsf.engine import ReportHook
from mmmsf.evaluation import MultiLabelMetric, Predictions
from mmmsf.models.tta import AverageScoreTTA


class _Data(BaseDataset):
    METAINFO = dict(classes=('ant', 'bee'))

    def load_data_list(self) -> list[dict]:
        return [dict(img_path=f'{i}.jpg') for i in range(4)]


@pytest.fixture
def runner(tmp_path: Path) -> SimpleNamespace:
    """What the hook reads of a runner whose evaluation takes any metric too."""
    metrics = [MultiLabelMetric(size_thresholds=None), SimpleNamespace()]
    loop = SimpleNamespace(
        evaluator=SimpleNamespace(metrics=metrics), dataloader=SimpleNamespace(dataset=_Data())
    )
    return SimpleNamespace(
        model=nn.Identity(),
        work_dir=str(tmp_path),
        val_loop=loop,
        test_loop=loop,
        logger=MMLogger.get_current_instance(),
    )


def evaluate(metric: MultiLabelMetric) -> None:
    metric.dataset_meta = _Data.METAINFO
    metric.process(
        None,
        [
            dict(
                pred_score=torch.tensor([i / 4, 0.5]),
                img_path=f'{i}.jpg',
                gt_score=torch.tensor([i % 2, 1]),
                sample_idx=i,
            )
            for i in (2, 0, 1, 3)
        ],
    )
    metric.evaluate(4)


def written(runner: SimpleNamespace) -> list[str]:
    root = Path(runner.work_dir)
    return sorted(str(path.relative_to(root)) for path in root.rglob('*.*'))


def test_report_and_scores_go_to_val_and_test(runner: SimpleNamespace) -> None:
    hook = ReportHook()
    hook.before_val_epoch(runner)
    evaluate(runner.val_loop.evaluator.metrics[0])
    hook.after_val_epoch(runner)
    hook.after_test_epoch(runner)
    files = ('metrics.json', 'per_class.csv', 'predictions.npz')
    assert written(runner) == [f'{mode}/{name}' for mode in ('test', 'val') for name in files]
    saved = Predictions.load(Path(runner.work_dir) / 'val/predictions.npz')
    assert saved.names.tolist() == [f'{i}.jpg' for i in range(4)]
    np.testing.assert_array_equal(saved.scores[:, 0], np.arange(4) / 4)


def test_averages_over_views_are_marked(runner: SimpleNamespace) -> None:
    runner.model = AverageScoreTTA(ImageClassifier(dict(type='ResNet_CIFAR', depth=18)))
    hook = ReportHook()
    hook.before_test_epoch(runner)
    evaluate(runner.test_loop.evaluator.metrics[0])
    hook.after_test_epoch(runner)
    assert Predictions.load(Path(runner.work_dir) / 'test/predictions.npz').tta


def test_scores_only_where_wanted(runner: SimpleNamespace) -> None:
    hook = ReportHook(predictions=False)
    hook.before_test_epoch(runner)
    evaluate(runner.test_loop.evaluator.metrics[0])
    hook.after_test_epoch(runner)
    assert written(runner) == ['test/metrics.json', 'test/per_class.csv']


def test_without_an_evaluation_nothing_is_written(runner: SimpleNamespace) -> None:
    ReportHook().after_val_epoch(runner)
    assert written(runner) == []
