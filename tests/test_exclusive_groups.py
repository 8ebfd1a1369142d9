"""Exclusive groups from the checkpoint to every program, and through a short training."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mmmsf.apis import MultiLabelInferencer, load_model
from mmmsf.checkpoint.files import read_checkpoint
from mmmsf.checkpoint.thresholds import read_thresholds
from mmmsf.evaluation import Predictions
from mmmsf.evaluation.functional import threshold_decisions
from mmmsf.evaluation.functional.threshold_search import class_thresholds
from mmmsf.evaluation.tuning import tune_frequent_classes
from mmmsf.models.heads.calibration import CalibratedLogits, Calibration, calibrate_scores
from mmmsf.report.numbers import check_comparable
from mmmsf.report.page import build_page
from mmmsf.utils.groups import Group, broken_rows, exclusive_decisions

from .helpers.coloured_digits import CLASSES, GROUPS, make_config, write_data
from .helpers.run_tool import run_tool
from .helpers.small_checkpoint import small_config, write_checkpoint
from .helpers.tiny_training import run

SMALL = [
    dict(name='animal', classes=['cat', 'dog'], rule='one'),
    dict(name='thing', classes=['cup', 'red bus'], rule='at_most_one'),
]
INDEXED = (Group('animal', (0, 1), 'one'), Group('thing', (4, 2), 'at_most_one'))
IMAGE = np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)
NAMES = ['cat', 'dog', 'red bus', 'tree', 'cup']


def small_grouped(folder: Path, **meta: Any) -> Path:
    cfg = small_config()
    cfg.model.update(type='mmmsf.GroupedClassifier', groups=SMALL, classes=NAMES)
    path = write_checkpoint(folder / 'x.pth', cfg, **meta)
    found = read_checkpoint(path)
    found['meta']['dataset_meta'] = dict(classes=NAMES, groups=SMALL)
    torch.save(found, path)
    return path


def test_a_prediction_names_the_outcome_of_each_group(tmp_path: Path) -> None:
    inferencer = MultiLabelInferencer(small_grouped(tmp_path), device='cpu')
    (found,) = inferencer(IMAGE, return_scores=True, show_progress=False)
    scores = found['all_scores']
    assert scores[:2].sum() == pytest.approx(1, abs=1e-6) and scores[[2, 4]].sum() < 1
    best = int(scores[:2].argmax())
    assert found['groups']['animal'] == dict(label=NAMES[best], score=pytest.approx(scores[best]))
    assert NAMES[best] in found['labels'] and NAMES[1 - best] not in found['labels']
    for thr, label in ((1.0, None), (0.0, NAMES[max((2, 4), key=lambda k: scores[k])])):
        model = MultiLabelInferencer(inferencer.loaded, thresholds=thr)
        (found,) = model(IMAGE, show_progress=False)
        thing = found['groups']['thing']
        rest = 1 - scores[[2, 4]].sum() if label is None else scores[NAMES.index(label)]
        assert thing == dict(label=label, score=pytest.approx(rest, abs=1e-6))
        assert [x for x in found['labels'] if x in ('cup', 'red bus')] == [label] * bool(label)
        assert found['groups']['animal']['label'] == NAMES[best]
    with pytest.raises(ValueError, match=r"thresholds.*\['cat'\]"):
        MultiLabelInferencer(inferencer.loaded, thresholds=dict(cat=0.3, tree=0.1))


def test_checkpoint_and_config_must_have_the_same_groups(tmp_path: Path) -> None:
    path = small_grouped(tmp_path)
    with pytest.raises(ValueError, match=r'x\.pth.*animal.*none'):
        load_model(path, small_config(), 'cpu')
    cfg = load_model(path, device='cpu').cfg
    cfg.model.classes = ['dog', 'cat', *NAMES[2:]]
    cfg.model.groups = [{**x, 'classes': list(reversed(x['classes']))} for x in SMALL]
    with pytest.raises(ValueError, match=r'x\.pth.*model\.classes'):
        load_model(path, cfg, 'cpu')


def test_a_published_model_keeps_its_groups(tmp_path: Path) -> None:
    small_grouped(tmp_path)
    for name in ('p.pth', 'p.safetensors'):
        done = run_tool(tmp_path, 'publish_model.py', 'x.pth', name)
        assert done.returncode == 0, done.stderr
        assert [x.name for x in load_model(tmp_path / name, device='cpu').groups] == [
            'animal',
            'thing',
        ]
        assert read_checkpoint(tmp_path / name)['meta']['dataset_meta']['groups'] == SMALL


def grouped_predictions(seed: int = 0) -> Predictions:
    """Scores of a mediocre model on 200 images."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 2, (200, 5), dtype=np.int8)
    targets[:, [0, 1]] = np.eye(2, dtype=np.int8)[rng.integers(0, 2, 200)]
    targets[:, [4, 2]] = np.eye(3, dtype=np.int8)[rng.integers(0, 3, 200)][:, :2]
    targets[:20, [0, 1]] = targets[20:30, 3] = -1
    logits = 1.5 * targets + rng.normal(0, 1, (200, 5))
    scores = 1 / (1 + np.exp(-logits))
    for columns in ([0, 1], [4, 2]):
        weights = np.exp(logits[:, columns])
        scores[:, columns] = weights / (weights.sum(axis=1, keepdims=True) + (columns[0] == 4))
    names = np.array([f'{i}.jpg' for i in range(200)])
    sizes = np.zeros_like(targets)
    return Predictions(
        names, np.array(NAMES), scores.astype(np.float32), targets, sizes, groups=INDEXED
    )


def test_predictions_keep_groups_and_older_files_have_none(tmp_path: Path) -> None:
    data = grouped_predictions()
    data.save(tmp_path / 'p.npz')
    assert Predictions.load(tmp_path / 'p.npz').groups == INDEXED
    dataclasses.replace(data, groups=()).save(tmp_path / 'q.npz')
    with np.load(tmp_path / 'q.npz') as archive:
        assert 'groups' not in archive
    assert Predictions.load(tmp_path / 'q.npz').groups == ()


def test_tuned_thresholds_are_the_best_of_the_decisions_that_are_made() -> None:
    data = grouped_predictions()
    values, reached = class_thresholds(data.scores, data.targets, groups=INDEXED)
    assert values[:2].tolist() == [0.5, 0.5] and reached.all()

    def f1(thr: np.ndarray, k: int) -> float:
        decided = exclusive_decisions(data.scores >= thr, data.scores, INDEXED)[:, k]
        known, positive = data.targets[:, k] >= 0, data.targets[:, k] == 1
        return 2 * (decided & positive).sum() / ((decided & known).sum() + positive.sum())

    for k in (2, 4, 3):
        best = f1(values, k)
        for value in np.unique(data.scores[:, k]):
            other = values.copy()
            other[k] = value
            assert f1(other, k) <= best + 1e-12
    few = tune_frequent_classes(data.scores, data.targets, 1000, groups=INDEXED)
    assert (few.values == 0.5).all() and few.reached.tolist() == [True, True, False, False, False]


def test_report_and_tuning_tool_show_groups(tmp_path: Path) -> None:
    data = grouped_predictions()
    data.save(tmp_path / 'p.npz')
    page = build_page([('run', data)])
    assert 'Exclusive groups' in page and 'acc animal' in page
    decided = threshold_decisions(data.scores, 0.5, INDEXED)
    right = (decided[20:, 0] == (data.targets[20:, 0] == 1)).mean()
    assert f'<td>{100 * right:.2f}</td>' in page.split('Exclusive groups')[1].split('</table>')[0]
    plain = dataclasses.replace(data, groups=())
    with pytest.raises(ValueError, match='groups differ.*animal.*none'):
        check_comparable([('run', data), ('other', plain)])
    done = run_tool(tmp_path, 'analysis/tune_thresholds.py', 'p.npz')
    assert done.returncode == 0, done.stderr
    lines = {line.split('  ')[0]: line for line in done.stdout.splitlines()}
    assert 'highest of its group' in lines['cat'] and 'highest' not in lines['cup']
    done = run_tool(tmp_path, 'analysis/tune_thresholds.py', 'p.npz', '--overall')
    assert done.returncode == 1 and '--overall' in done.stderr


def test_the_classifier_without_torch_chooses_as_the_inferencer() -> None:
    pytest.importorskip('onnxruntime')
    from mmmsf.apis.results import choose_labels, decide
    from mmmsf.deploy import OnnxClassifier
    from mmmsf.utils.groups import group_results

    model = OnnxClassifier.__new__(OnnxClassifier)
    model.classes, model.prepare = NAMES, lambda image: image  # type: ignore[method-assign]
    model.calibrated = False
    model._groups = [(x.name, list(x.classes), x.rule) for x in INDEXED]
    rng = np.random.default_rng(0)
    for row in grouped_predictions(1).scores[:50]:
        model.thresholds = rng.random(5).astype(np.float32)
        model.session = SimpleNamespace(run=lambda *_, row=row: [row[None]])
        found = model(IMAGE)
        scores = torch.from_numpy(row)
        chosen = choose_labels(scores, model.thresholds, None, INDEXED)
        assert found['labels'] == [NAMES[k] for k in chosen]
        decided = decide(scores, model.thresholds, INDEXED)
        assert found['groups'] == group_results(row, decided, INDEXED, NAMES)


def call(folder: Path, tool: str, *arguments: str) -> str:
    done = run_tool(folder, tool, *arguments)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.mark.slow
def test_every_tool_on_a_short_training_with_unknown_labels(tmp_path: Path) -> None:
    pytest.importorskip('onnxscript')
    from mmmsf.deploy import OnnxClassifier

    write_data(tmp_path / 'data', 320, 160, unknown=0.2)
    cfg = make_config(tmp_path / 'data', epochs=3, channels=16)
    cfg.model.train_cfg = dict(augments=[dict(type='Mixup', alpha=0.2)], probs=[0.3])
    cfg.dump(tmp_path / 'c.py')
    shown = call(tmp_path, 'train.py', 'c.py', '--work-dir', 'run', '--seed', '0')
    assert 'ink (at most one of 3) is known in' in shown
    metrics = json.loads((tmp_path / 'run/val/metrics.json').read_text())
    data = Predictions.load(tmp_path / 'run/val/predictions.npz')
    assert [x.name for x in data.groups] == ['digit', 'ink']
    for group in data.groups:
        total = data.scores[:, group.columns].sum(axis=1)
        assert (total < 1 + 1e-5).all() and (group.rule == 'at_most_one' or (total > 0.9999).all())
        decided = threshold_decisions(data.scores, 0.5, data.groups)
        assert not broken_rows(decided.astype(np.int8), group).any()
    assert metrics['acc_ink'] > 60  # chance is 25
    assert metrics['mAcc'] == pytest.approx((metrics['acc_ink'] + metrics['acc_digit']) / 2)
    assert read_thresholds(tmp_path / 'run/epoch_3.pth')[:10] == [0.5] * 10

    tested = ('c.py', 'run/epoch_3.pth', '--out', 'p.npz', '--work-dir', 'test')
    assert 'at_most_one' in call(tmp_path, 'test.py', *tested)
    again = json.loads((tmp_path / 'test/test/metrics.json').read_text())
    assert again['acc_digit'] == pytest.approx(metrics['acc_digit'])
    call(tmp_path, 'test.py', 'c.py', 'run/epoch_3.pth', '--tta', '--work-dir', 'tta')
    tuning = ('p.npz', '--checkpoint', 'run/epoch_3.pth', '--out', 't.pth')
    call(tmp_path, 'analysis/tune_thresholds.py', *tuning)
    call(tmp_path, 'analysis/report.py', 'p.npz')
    call(tmp_path, 'analysis/compare.py', 'p.npz', 'p.npz', '--resamples', '10')
    call(tmp_path, 'publish_model.py', 't.pth', 'model.safetensors')
    paths = sorted(str(x) for x in (tmp_path / 'data/val').iterdir())[:20]
    call(tmp_path, 'predict.py', 'model.safetensors', *paths, '--out-dir', 'out')
    results = [json.loads(x) for x in (tmp_path / 'out/predictions.jsonl').open()]
    options = ('--size', '32', '32', '--image', paths[0])
    call(tmp_path, 'deployment/export_onnx.py', 'c.py', 't.pth', '--out', 'm.onnx', *options)
    quantize = ('m.onnx', 'c.py', '--out', 'q.onnx', '--num-images', '40')
    call(tmp_path, 'deployment/quantize_onnx.py', *quantize)
    exact, int8 = (OnnxClassifier(tmp_path / name) for name in ('m.onnx', 'q.onnx'))
    assert exact.meta['format'] == 2 and exact.meta['groups'] == GROUPS
    for path, result in zip(paths, results, strict=True):
        found = exact(path)
        assert found['labels'] == result['labels']
        for name, outcome in found['groups'].items():
            assert outcome['label'] == result['groups'][name]['label']
            assert outcome['score'] == pytest.approx(result['groups'][name]['score'], abs=1e-4)
        rounded = int8(path)['all_scores']
        assert rounded[:10].sum() == pytest.approx(1, abs=1e-5)  # the softmax stays in float32
        assert np.abs(rounded - found['all_scores']).max() < 0.3


@pytest.mark.slow
def test_two_processes_train_and_measure_as_one(tmp_path: Path) -> None:
    write_data(tmp_path / 'data', 64, 33)
    make_config(tmp_path / 'data').dump(tmp_path / 'c.py')
    run(tmp_path, 'train.py', 'c.py', '--work-dir', 'run', processes=2)
    call(tmp_path, 'test.py', 'c.py', 'run/epoch_1.pth', '--work-dir', 'test')
    two, one = (
        json.loads((tmp_path / x).read_text())
        for x in ('run/val/metrics.json', 'test/test/metrics.json')
    )
    assert two['acc_digit'] == pytest.approx(one['acc_digit'])
    assert two['acc_ink'] == pytest.approx(one['acc_ink'])


@pytest.mark.slow
def test_groups_are_exclusive_where_sigmoids_are_not(tmp_path: Path) -> None:
    write_data(tmp_path / 'data', 160, 80)
    broken = {}
    for name, grouped in (('groups', True), ('sigmoids', False)):
        make_config(tmp_path / 'data', grouped).dump(tmp_path / f'{name}.py')
        call(tmp_path, 'train.py', f'{name}.py', '--work-dir', name, '--seed', '0')
        data = Predictions.load(tmp_path / name / 'val/predictions.npz')
        shown = threshold_decisions(data.scores, 0.5, data.groups).astype(np.int8)
        digit = Group('digit', tuple(range(10)), 'one')
        broken[name] = broken_rows(shown, digit).mean()
    assert broken['groups'] == 0 < broken['sigmoids']
    assert len(CLASSES) == 15


def test_calibration_leaves_the_softmax_of_groups_as_it_is(tmp_path: Path) -> None:
    grouped_predictions().save(tmp_path / 'p.npz')
    small_grouped(tmp_path, thresholds=[0.5, 0.5, 0.3, 0.4, 0.3])
    tool = ('p.npz', '--checkpoint', 'x.pth', '--out', 'c.pth')
    assert 'cup: in an exclusive group' in call(tmp_path, 'analysis/calibrate.py', *tool)
    raw, calibrated = (
        MultiLabelInferencer(tmp_path / 'c.pth', device='cpu', calibrated=x) for x in (False, True)
    )
    one, other = (x(IMAGE, return_scores=True, show_progress=False)[0] for x in (raw, calibrated))
    inside = [0, 1, 2, 4]
    np.testing.assert_array_equal(one['all_scores'][inside], other['all_scores'][inside])
    np.testing.assert_array_equal(raw.thresholds[inside], calibrated.thresholds[inside])
    assert one['all_scores'][3] != other['all_scores'][3]
    assert sorted(one['labels']) == sorted(other['labels'])
    assert one['groups'] == other['groups']
    kept = Calibration(np.array([1.0, 2.0]), np.array([0.0, 0.5]))
    scores = np.array([[0.99999, 0.99999]])  # above the ceiling
    found = calibrate_scores(scores, kept)
    assert found[0, 0] == scores[0, 0] and found[0, 1] < 0.9999
    logits = torch.tensor([[12.0, 12.0]])
    assert CalibratedLogits(kept)(logits)[0].tolist()[0] == 12.0
