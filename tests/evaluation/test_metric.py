"""The registered metric: its input, its results, and equal results for any number of ranks."""

import copy
import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmmsf.evaluation import MultiLabelMetric
from mmmsf.evaluation.functional import (
    areas_to_sizes,
    average_precision,
    size_aware_average_precision,
    threshold_metrics,
    topk_metrics,
)
from mmmsf.evaluation.gather import unique_rows
from mmmsf.evaluation.rows import EvaluationRows
from mmmsf.registry import METRICS

CLASSES = ('ant', 'bee', 'cat', 'dog')


def make_samples(num: int, seed: int = 0, classes: int = len(CLASSES)) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    targets = (rng.random((num, classes)) < 0.4).astype(np.int8)
    scores = (rng.random((num, classes)) * 0.6 + targets * 0.3).round(1).astype(np.float32)
    targets[rng.random(targets.shape) < 0.1] = -1
    areas = np.where(targets == 1, rng.uniform(0, 20000, targets.shape), np.nan)
    return [
        dict(
            pred_score=torch.from_numpy(scores[i]),
            gt_score=torch.from_numpy(targets[i]),
            gt_area=areas[i].astype(np.float32),
            sample_idx=i,
            img_path=f'{i:03d}.jpg',
            ori_shape=(100, 200),
            img_shape=(50, 100),
        )
        for i in range(num)
    ]


def stack(samples: list[dict[str, Any]], key: str) -> np.ndarray:
    return np.stack([np.asarray(sample[key]) for sample in samples])


def run(
    metric: MultiLabelMetric, samples: list[dict[str, Any]], size: int | None = None, batch: int = 3
) -> dict[str, float]:
    metric.dataset_meta = dict(classes=CLASSES)
    for start in range(0, len(samples), batch):
        metric.process(None, samples[start : start + batch])
    return metric.evaluate(len(samples) if size is None else size)


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """Collect the messages of the current logger as (level, message)."""
    seen: list[tuple[int, str]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append((record.levelno, record.getMessage()))

    logger = MMLogger('metric_test', log_level='INFO')
    logger.addHandler(Handler())
    monkeypatch.setattr(MMLogger, 'get_current_instance', lambda: logger)
    return seen


def test_values_are_those_of_the_functions_in_percent() -> None:
    samples = make_samples(40)
    scores, targets = stack(samples, 'pred_score'), stack(samples, 'gt_score')
    metric = METRICS.build(dict(type='mmmsf.MultiLabelMetric', thr=[0.5, 0.3, 0.125]))
    assert isinstance(metric, MultiLabelMetric)
    result = run(metric, samples)
    ap, by_size = size_aware_average_precision(
        scores, targets, areas_to_sizes(stack(samples, 'gt_area'))
    )
    expected = {
        'mAP': ap.mean(),
        'mAP_voc': average_precision(scores, targets, 'voc').mean(),
        'mAP_small': np.nanmean(by_size[0]),
        'mAP_medium': np.nanmean(by_size[1]),
        'mAP_large': np.nanmean(by_size[2]),
    }
    for suffix, part in {
        '': threshold_metrics(scores, targets, 0.5),
        '_top3': topk_metrics(scores, targets, 3),
        '_thr-0.50': threshold_metrics(scores, targets, 0.5),
        '_thr-0.30': threshold_metrics(scores, targets, 0.3),
        '_thr-0.125': threshold_metrics(scores, targets, 0.125),
    }.items():
        expected |= {key + suffix: value for key, value in part.items()}
    assert list(result) == [f'multi-label/{key}' for key in expected]
    assert_close(list(result.values()), [100 * float(value) for value in expected.values()])
    assert all(type(value) is float for value in result.values())
    assert metric.results == []


def test_options_reach_the_functions() -> None:
    samples = make_samples(40, seed=1)
    scores, targets = stack(samples, 'pred_score'), stack(samples, 'gt_score')
    metric = MultiLabelMetric(
        thr=0.6, topk=2, topk_gated=True, ap_flavour='voc11', size_thresholds=None, prefix='val'
    )
    result = run(metric, samples)
    expected = {
        'val/mAP': average_precision(scores, targets, 'voc11').mean(),
        'val/mAP_area': average_precision(scores, targets).mean(),
    }
    expected |= {f'val/{k}': v for k, v in threshold_metrics(scores, targets, 0.6).items()}
    expected |= {f'val/{k}_top2': v for k, v in topk_metrics(scores, targets, 2, 0.6).items()}
    assert list(result) == list(expected)
    assert_close(list(result.values()), [100 * float(value) for value in expected.values()])
    assert 'multi-label/CP' in run(MultiLabelMetric(topk=None), samples)
    assert not any('top' in key for key in run(MultiLabelMetric(topk=None), samples))


def test_size_at_input_scales_the_areas() -> None:
    samples = make_samples(40, seed=2)
    areas = stack(samples, 'gt_area') / 4  # 50 x 100 from 100 x 200
    by_size = size_aware_average_precision(
        stack(samples, 'pred_score'), stack(samples, 'gt_score'), areas_to_sizes(areas)
    )[1]
    metric = MultiLabelMetric(size_at='input')
    result = run(metric, samples)
    for name, ap in zip(('small', 'medium'), by_size, strict=False):
        assert_close(result[f'multi-label/mAP_{name}'], 100 * float(np.nanmean(ap)))
    assert result != run(MultiLabelMetric(), samples)
    del samples[3]['img_shape']
    with pytest.raises(ValueError, match=r'needs img_shape in every sample, none for 003\.jpg'):
        run(metric, samples)


def test_size_without_a_label_has_no_key(messages: list[tuple[int, str]]) -> None:
    samples = make_samples(20)
    for i, sample in enumerate(samples):
        sample['gt_area'] = np.full(4, 9000 if i % 2 else 900)
    metric = MultiLabelMetric(size_thresholds=(1024, 9216))
    for _ in range(2):
        keys = {key for key in run(metric, samples) if 'mAP_' in key}
        assert keys == {f'multi-label/mAP_{name}' for name in ('voc', 'small', 'medium')}
    assert sum('no size-aware mAP for: large' in text for _, text in messages) == 1
    for sample in samples:
        del sample['gt_area']
    assert {key for key in run(metric, samples) if 'mAP_' in key} == {'multi-label/mAP_voc'}
    assert metric.report is not None and metric.report.ap_by_size is None


def test_gt_label_stands_in_for_gt_score() -> None:
    samples = make_samples(12)
    for sample in samples:
        sample['gt_score'] = sample['gt_score'].clamp(min=0)
    expected = run(MultiLabelMetric(), samples)
    for sample in samples:
        sample['gt_label'] = sample.pop('gt_score').nonzero().flatten()
    assert run(MultiLabelMetric(), samples) == expected


def test_data_samples_through_the_evaluator() -> None:
    samples = make_samples(9)
    elements = []
    for sample in samples:
        element = DataSample(
            metainfo={
                key: sample[key]
                for key in ('sample_idx', 'img_path', 'ori_shape', 'img_shape', 'gt_area')
            }
        )
        element.set_pred_score(sample['pred_score']).set_gt_score(sample['gt_score'])
        elements.append(element)
    evaluator = Evaluator(MultiLabelMetric())
    evaluator.dataset_meta = dict(classes=CLASSES)
    evaluator.process(elements)
    assert evaluator.evaluate(9) == run(MultiLabelMetric(), samples)


def test_half_precision_scores_and_tensor_areas() -> None:
    samples = make_samples(20)
    for sample in samples:
        sample['pred_score'] = sample['pred_score'].bfloat16()
        sample['gt_area'] = torch.from_numpy(sample['gt_area'])
    result = run(MultiLabelMetric(), samples)
    scores = np.stack([sample['pred_score'].float().numpy() for sample in samples])
    ap = average_precision(scores, stack(samples, 'gt_score'))
    assert_close(result['multi-label/mAP'], 100 * float(ap.mean()))


def test_process_leaves_its_inputs_alone_and_shares_no_memory() -> None:
    samples = make_samples(3)
    before = copy.deepcopy(samples)
    metric = MultiLabelMetric()
    metric.process(None, samples)
    for now, then in zip(samples, before, strict=True):
        assert now.keys() == then.keys()
        for key in ('pred_score', 'gt_score', 'gt_area'):
            assert_close(now[key], then[key], rtol=0, atol=0, equal_nan=True)
    kept = metric.results[0].scores.copy()
    samples[0]['pred_score'].fill_(7)
    np.testing.assert_array_equal(metric.results[0].scores, kept)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_score_not_finite_names_the_image(value: float) -> None:
    samples = make_samples(5)
    samples[4]['pred_score'][1] = value
    with pytest.raises(ValueError, match=rf'finite, got {value} for class 1 in .*004\.jpg'):
        run(MultiLabelMetric(), samples)
    del samples[4]['img_path']
    with pytest.raises(ValueError, match='sample_idx 4'):
        run(MultiLabelMetric(), samples)


def test_bad_samples_are_refused() -> None:
    def broken(key: str, value: Any) -> list[dict[str, Any]]:
        samples = make_samples(3)
        samples[1][key] = value
        return samples

    for key, value, text in (
        ('pred_score', None, 'needs pred_score, got none for 001'),
        ('pred_score', torch.ones(3), r'shape \(4,\), got \(3,\) for 001'),
        ('gt_score', None, 'gt_score or gt_label, got neither for 001'),
        ('gt_score', torch.ones(5), r'shape \(4,\), got \(5,\) for 001'),
        ('gt_score', torch.full((4,), 0.7), r'must be -1, 0 or 1, got 0\.69.* in .*001'),
        ('gt_area', torch.ones(5), r'gt_area must have shape \(4,\), got \(5,\) for 001'),
    ):
        with pytest.raises(ValueError, match=text):
            run(MultiLabelMetric(), broken(key, value))
    samples = broken('gt_score', None)
    samples[1]['gt_label'] = [0, 4]
    with pytest.raises(ValueError, match=r'indices in \[0, 4\), got \[0, 4\] for 001'):
        run(MultiLabelMetric(), samples)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match='min_positives must be at least 0, got -1'):
        MultiLabelMetric(min_positives=-1)
    for arguments, text in (
        (dict(thr=[]), 'thr'),
        (dict(thr=[0.5, 0.5]), 'thr'),
        (dict(thr=float('nan')), 'thr'),
        (dict(topk=0), 'topk'),
        (dict(ap_flavour='x'), 'flavour'),
        (dict(size_at='x'), 'size_at'),
        (dict(size_thresholds=(2, 1)), 'size thresholds'),
    ):
        with pytest.raises(ValueError, match=text):
            MultiLabelMetric(**arguments)


def test_classes_must_fit_the_scores() -> None:
    with pytest.raises(ValueError, match=r"data set's 4 classes, got 5"):
        run(MultiLabelMetric(), make_samples(3, classes=5))
    metric = MultiLabelMetric()
    metric.process(None, make_samples(3, classes=5))
    with pytest.raises(ValueError, match='had 5 classes before, now 4'):
        metric.process(None, make_samples(3))
    metric.evaluate(3)
    assert metric.report is not None and metric.report.classes == ('0', '1', '2', '3', '4')


def test_class_without_positive_is_named_once(messages: list[tuple[int, str]]) -> None:
    samples = make_samples(20)
    for sample in samples:
        sample['gt_score'][2] = 0
    metric = MultiLabelMetric()
    first = run(metric, samples)
    ap = average_precision(stack(samples, 'pred_score'), stack(samples, 'gt_score'))
    assert_close(first['multi-label/mAP'], 100 * float(np.mean(ap[[0, 1, 3]])))
    assert run(metric, samples) == first
    warnings = [text for level, text in messages if level == logging.WARNING]
    assert warnings == ['no positive, left out of the class means: cat']


def test_classes_with_too_few_positives_count_in_no_mean(messages: list[tuple[int, str]]) -> None:
    samples = make_samples(40)
    for sample in samples[3:]:
        sample['gt_score'][1] = 0
    for sample in samples[:3]:
        sample['gt_score'][1] = 1
    metric = MultiLabelMetric(min_positives=4, topk=2)
    found = run(metric, samples)
    scores, targets = stack(samples, 'pred_score'), stack(samples, 'gt_score')
    kept = [0, 2, 3]
    ap = average_precision(scores, targets)
    assert found['multi-label/mAP'] == pytest.approx(100 * ap[kept].mean())
    for key, value in threshold_metrics(scores[:, kept], targets[:, kept]).items():
        assert found[f'multi-label/{key}'] == pytest.approx(100 * value), key
    assert found['multi-label/OF1_top2'] != pytest.approx(
        100 * topk_metrics(scores, targets, 2)['OF1']
    )
    assert metric.report is not None and not np.isnan(metric.report.ap[1])
    assert any('fewer than 4 positives' in text and 'bee (3)' in text for _, text in messages)
    with pytest.raises(ValueError, match='no class has min_positives=100'):
        run(MultiLabelMetric(min_positives=100), samples)


def test_tables_are_logged_and_files_written(
    messages: list[tuple[int, str]], tmp_path: Path
) -> None:
    result = run(MultiLabelMetric(out_dir=str(tmp_path / 'out')), make_samples(20))
    logged = '\n'.join(text for _, text in messages)
    assert f'mAP {result["multi-label/mAP"]:.2f}' in logged and '\nbee ' in logged
    saved = json.loads((tmp_path / 'out/metrics.json').read_text())
    assert saved == {key.removeprefix('multi-label/'): value for key, value in result.items()}
    assert (tmp_path / 'out/per_class.csv').read_text().count('\n') == 5
    messages.clear()
    run(MultiLabelMetric(classwise=False), make_samples(20))
    logged = '\n'.join(text for _, text in messages)
    assert 'mAP' in logged and '\nbee ' not in logged


def test_repeated_samples_count_once_in_any_order() -> None:
    samples = make_samples(11)
    expected = run(MultiLabelMetric(), samples)
    order = [5, 0, 10, 3, 3, 1, 2, 4, 9, 8, 7, 6, 5, 0]
    assert run(MultiLabelMetric(), [samples[i] for i in order], size=11) == expected
    for sample in samples:
        sample['sample_idx'] = None
    assert run(MultiLabelMetric(), samples + samples[:3], size=11) == expected


def test_number_of_images_unlike_the_data_set_is_a_warning(messages: list[tuple[int, str]]) -> None:
    run(MultiLabelMetric(), make_samples(7), size=9)
    assert (logging.WARNING, '7 different images were evaluated, the data set has 9') in messages


def test_index_that_is_not_unique_in_a_concatenated_data_set(
    messages: list[tuple[int, str]],
) -> None:
    samples = make_samples(12)
    expected = run(MultiLabelMetric(), samples)
    for i, sample in enumerate(samples):
        sample['sample_idx'] = i % 6
    assert run(MultiLabelMetric(), samples + samples[:2], size=12) == expected
    assert any('sample_idx has 6 values for 12 images' in text for _, text in messages)


def test_first_row_of_an_image_stays() -> None:
    matrix = np.arange(4, dtype=np.float32)[:, None]
    flat = np.zeros((4, 1), dtype=np.int8)
    rows = EvaluationRows(matrix, flat, flat, np.array([2, 1, 2, 0]))
    kept, warning = unique_rows(rows, np.arange(4), 3)
    assert kept.sample_idx.tolist() == [0, 1, 2] and kept.scores[:, 0].tolist() == [3, 1, 0]
    assert warning is None


def test_nothing_to_evaluate_is_an_error() -> None:
    with pytest.raises(ValueError, match='no rank has processed a sample'):
        MultiLabelMetric().evaluate(0)


def test_rows_are_kept_only_on_demand() -> None:
    metric = MultiLabelMetric()
    run(metric, make_samples(5))
    assert metric.rows is None
    metric.keep_rows = True
    run(metric, make_samples(5))
    assert metric.rows is not None and len(metric.rows.scores) == 5


def test_memory_of_a_coco_validation_set() -> None:
    """40,504 images of 80 classes stay under 30 MB."""
    metric = MultiLabelMetric()
    samples = make_samples(64, classes=80)
    metric.process(None, samples)
    held = sum(column.nbytes for rows in metric.results for column in rows)
    assert held / 64 * 40504 < 30e6


SIZES = (1, 2, 7, 23)
WORLD_SIZES = (4, 2)
MODES = ('padded', 'uneven', 'without_index', 'one_has_all')


def _deal(size: int, rank: int, world_size: int, mode: str) -> list[dict[str, Any]]:
    """Select the samples of one rank: round robin, padded or not, or all on the last."""
    samples = make_samples(size, seed=size)
    if mode == 'one_has_all':
        return samples if rank == world_size - 1 else []
    if mode == 'without_index':
        for sample in samples:
            sample['sample_idx'] = None
    total = size if mode == 'uneven' else -(-size // world_size) * world_size
    return [samples[i % size] for i in range(rank, total, world_size)]


def _evaluate_everything(rank: int, world_size: int, folder: str) -> dict[str, Any]:
    metric, results = MultiLabelMetric(thr=[0.5, 0.3], topk=2), {}
    for mode in MODES:
        for size in SIZES:
            results[f'{mode}-{size}'] = run(metric, _deal(size, rank, world_size, mode), size)
            assert (metric.report is not None) == (rank == 0)
    metric.out_dir = f'{folder}/store-{world_size}/under_a_file'
    try:
        run(metric, _deal(2, rank, world_size, 'padded'), 2)
    except (OSError, RuntimeError) as error:
        results['failure'] = type(error).__name__
    return results


def _worker(rank: int, world_size: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo', init_method=f'file://{folder}/store-{world_size}', rank=rank, world_size=world_size
    )
    results = _evaluate_everything(rank, world_size, folder)
    Path(folder, f'{world_size}-{rank}.json').write_text(json.dumps(results))
    os._exit(0)  # torch 2.7 can hang when the group is destroyed


@pytest.fixture(scope='module')
def parallel_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evaluate on several ranks; a folder with a file per world size and rank."""
    folder = tmp_path_factory.mktemp('gloo')
    for world_size in WORLD_SIZES:
        # forked, as the frameworks take seconds to import
        mp.start_processes(
            _worker, (world_size, str(folder)), nprocs=world_size, start_method='fork'
        )
    return folder


@pytest.mark.parametrize('world_size', WORLD_SIZES)
def test_ranks_agree_with_one_process(world_size: int, parallel_results: Path) -> None:
    """Compare every rank with one process for several distributions of the samples."""
    for rank in range(world_size):
        results = json.loads((parallel_results / f'{world_size}-{rank}.json').read_text())
        for size in SIZES:
            alone = run(MultiLabelMetric(thr=[0.5, 0.3], topk=2), make_samples(size, seed=size))
            for mode in MODES:
                found = results[f'{mode}-{size}']
                assert list(found) == list(alone)
                np.testing.assert_array_equal(list(found.values()), list(alone.values()))
        # A failure on the main rank reaches the other ranks, which would wait for it otherwise.
        assert (results['failure'] == 'RuntimeError') == (rank > 0)
