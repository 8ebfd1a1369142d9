"""The tables and files of an evaluation report."""

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from mmmsf.evaluation import EvaluationReport
from mmmsf.evaluation.rows import EvaluationRows
from mmmsf.evaluation.summary import build_report
from mmmsf.evaluation.tables import format_table


@pytest.fixture
def report() -> EvaluationReport:
    """Make rows of three images; class 'bee, wild' has no positive."""
    scores = np.array([[0.9, 0.2], [0.6, 0.7], [0.1, 0.1]], dtype=np.float32)
    targets = np.array([[1, 0], [0, 0], [1, -1]], dtype=np.int8)
    sizes = np.array([[1, 0], [0, 0], [3, 0]], dtype=np.int8)
    return build_report(
        EvaluationRows(scores, targets, sizes, np.arange(3)),
        ('ant', 'bee, wild'),
        thrs=(0.5, 0.25),
        topk=1,
    )


def test_values_by_hand(report: EvaluationReport) -> None:
    np.testing.assert_allclose(report.ap, [100 * (1 + 2 / 3) / 2, np.nan])
    assert report.ap_by_size is not None
    np.testing.assert_allclose(report.ap_by_size[:, 0], [100, np.nan, 50])
    assert report.positives.tolist() == [2, 0]
    assert report.predicted.tolist() == [2, 1]
    assert report.correct.tolist() == [1, 0]
    np.testing.assert_allclose(report.precision, [50, 0])
    np.testing.assert_allclose(report.recall, [50, np.nan])
    assert report.num_images == 3 and report.thr == 0.5
    assert report.summary['CP'] == 50 and 'mAP_medium' not in report.summary


def test_tables_show_the_numbers_once_each(report: EvaluationReport) -> None:
    lines = report.summary_table().splitlines()
    assert lines[0] == '3 images, 2 classes (%)'
    assert lines[1] == 'mAP 83.33 (area)  mAP_voc 83.33  mAP_small 100.00  mAP_large 50.00'
    assert [line.split('  ')[0].strip() for line in lines[4:]] == [
        'score >= 0.5',
        'top1',
        'score >= 0.50',
        'score >= 0.25',
    ]
    assert lines[4].split() == [
        'score',
        '>=',
        '0.5',
        '50.00',
        '50.00',
        '50.00',
        '33.33',
        '50.00',
        '40.00',
    ]
    header, rule, ant, bee = report.class_table().splitlines()
    assert header.split() == [
        'class',
        'AP',
        'AP_small',
        'AP_medium',
        'AP_large',
        'precision',
        'recall',
        'positives',
        'predicted',
        'correct',
    ]
    assert set(rule) == {'-', ' '}
    assert ant.split() == ['ant', '83.33', '100.00', '-', '50.00', '50.00', '50.00', '2', '2', '1']
    assert bee.split() == ['bee,', 'wild', '-', '-', '-', '-', '0.00', '-', '0', '1', '0']
    assert len({len(line) for line in (header, rule, ant, bee)}) == 1


def test_format_table_aligns() -> None:
    assert format_table(['a', 'b'], [['long', '1'], ['x', '10']]) == (
        'a      b\n----  --\nlong   1\nx     10'
    )


def test_saved_files_read_back(report: EvaluationReport, tmp_path: Path) -> None:
    folder = tmp_path / 'deep' / 'er'
    report.summary['mAP'] = float('nan')
    report.save(folder)
    saved = json.loads((folder / 'metrics.json').read_text())
    assert saved.pop('mAP') is None
    assert saved == {key: value for key, value in report.summary.items() if key != 'mAP'}
    with open(folder / 'per_class.csv', newline='') as file:
        ant, bee = csv.DictReader(file)
    assert ant['class'] == 'ant' and float(ant['AP']) == report.ap[0]
    assert bee['class'] == 'bee, wild' and bee['AP'] == '' and bee['recall'] == ''
    assert (bee['positives'], bee['predicted'], bee['correct']) == ('0', '1', '0')


def large_report(num_classes: int) -> EvaluationReport:
    """Make a report whose class k has its only positive at rank 1 + k % 50; class 0 has none."""
    scores = np.tile(np.linspace(0.9, 0.1, 50, dtype=np.float32)[:, None], num_classes)
    targets = (np.arange(50)[:, None] == np.arange(num_classes) % 50).astype(np.int8)
    targets[:, 0] = 0
    rows = EvaluationRows(scores, targets, np.zeros_like(targets), np.arange(50))
    return build_report(rows, [f'c{k}' for k in range(num_classes)])


def test_a_table_of_many_classes_shows_the_worst_and_the_best(tmp_path: Path) -> None:
    report = large_report(1500)
    _header, _rule, *lines, note = report.class_table().splitlines()
    names = [line.split()[0] for line in lines]
    worst = [f'c{k}' for k in range(49, 1000, 50)]
    assert names[:20] == worst  # AP 1/50
    assert {int(name[1:]) % 50 for name in names[20:]} == {0} and 'c0' not in names
    assert len(set(names)) == 40 and '40 classes of lowest and highest AP of 1500' in note
    ap = [float(line.split()[1]) for line in lines]
    assert ap == sorted(ap) and ap[0] == 2 and ap[-1] == 100
    report.save(tmp_path)
    with open(tmp_path / 'per_class.csv', encoding='utf-8') as file:
        assert [row['class'] for row in csv.DictReader(file)] == [f'c{k}' for k in range(1500)]


@pytest.mark.parametrize('num_classes', [100, 101])
def test_a_hundred_classes_are_shown_in_their_order(num_classes: int) -> None:
    lines = large_report(num_classes).class_table().splitlines()
    in_full = [line.split()[0] for line in lines[2:]] == [f'c{k}' for k in range(num_classes)]
    assert in_full == (num_classes == 100)


def test_few_defined_classes_are_shown_once() -> None:
    report = large_report(200)
    few = np.full(200, np.nan)
    few[[3, 7, 5]] = [2.0, 1.0, 3.0]
    table = dataclasses.replace(report, ap=few).class_table().splitlines()
    assert [line.split()[0] for line in table[2:-1]] == ['c7', 'c3', 'c5']
