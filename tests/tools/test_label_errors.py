"""Suspect labels: their table, the verdicts, and the label file that follows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _label_errors import apply_verdicts, rank_suspects
from _label_table import write_label_table
from _suspects import Suspect, read_suspects, write_suspects

from mmmsf.registry import DATASETS
from tests.helpers.small_data import write_image

IMAGES, CLASSES = ['a.jpg', 'b/c,d.jpg'], ['cat', 'red; bus', 'id']
TARGETS = np.array([[1, 0, -1], [0, 1, 0]])
SCORES = np.array([[0.9, 0.2, 0.5], [0.4, 0.3, 0.1]])


def suspects(count: int = 0) -> list[Suspect]:
    wrong = np.array([[0.1, 0.2, np.nan], [0.5, 0.7, 0.2]])
    return rank_suspects(IMAGES, CLASSES, SCORES, TARGETS, wrong, count)


def test_ranks_known_labels_by_likelihood_then_by_place() -> None:
    found = suspects()
    assert [(x.image, x.class_name) for x in found] == [
        ('b/c,d.jpg', 'red; bus'),
        ('b/c,d.jpg', 'cat'),
        ('a.jpg', 'red; bus'),
        ('b/c,d.jpg', 'id'),
        ('a.jpg', 'cat'),
    ]
    assert [x.rank for x in found] == [1, 2, 3, 4, 5]
    assert [x.suggestion for x in found] == ['remove', 'add', 'add', 'add', 'remove']
    assert suspects(2) == found[:2]


def test_table_is_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / 'errors.csv'
    write_suspects(path, suspects())
    assert read_suspects(path) == suspects()
    write_suspects(path, suspects(3))
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes().replace(b'add,\n', b'add, Yes\r\n'))
    assert [x.verdict for x in read_suspects(path)] == ['', 'yes', 'yes']
    with pytest.raises(ValueError, match='verdicts, which would be lost'):
        write_suspects(path, suspects())


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('add,', 'add,maybe', r"line 3: verdict .* 'maybe'"),
        (',0,0.4', ',1,0.4', r"line 3: label and suggestion .* '1' and 'add'"),
        ('0.5,add', 'high,add', 'line 3: rank, score'),
        ('verdict', 'result', 'line 1 must name the columns'),
    ],
)
def test_damaged_tables_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / 'errors.csv'
    write_suspects(path, suspects())
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=rf'errors\.csv: {message}'):
        read_suspects(path)


def apply(rows: list[Suspect]) -> Any:
    return apply_verdicts(Path('r.csv'), rows, IMAGES, CLASSES, TARGETS)


def test_only_confirmed_rows_change_a_label() -> None:
    verdicts = ('yes', 'no', 'unsure', '', 'yes')
    rows = [replace(row, verdict=v) for row, v in zip(suspects(), verdicts, strict=True)]
    np.testing.assert_array_equal(apply(rows), [[0, -1, -1], [0, 0, 0]])
    np.testing.assert_array_equal(apply([*rows, *rows]), apply(rows))
    assert TARGETS[1, 1] == 1


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(image='z.jpg'), "'z.jpg'"),
        (dict(class_name='dog'), "'dog'"),
        (dict(label=0, suggestion='add'), 'must be 0 as in the list, got 1'),
        (dict(image='a.jpg', class_name='id'), 'got -1'),
    ],
)
def test_rows_that_do_not_fit_the_labels_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=rf'r\.csv: rank 1: .*{message}'):
        apply([replace(suspects()[0], verdict='yes', **changes)])


def test_two_verdicts_on_a_pair_are_refused() -> None:
    row = suspects()[0]
    with pytest.raises(ValueError, match='another verdict'):
        apply([replace(row, verdict='yes'), replace(row, verdict='no')])


@pytest.mark.parametrize('known', [True, False])
@pytest.mark.parametrize('classes', [CLASSES, ['cat', 'bus', 'train']])
def test_label_file_keeps_the_labels(tmp_path: Path, known: bool, classes: list[str]) -> None:
    targets = np.abs(TARGETS) if known else TARGETS
    (tmp_path / 'b').mkdir()
    for name in IMAGES:
        write_image(tmp_path / name)
    options = write_label_table(tmp_path / 'new.csv', IMAGES, classes, targets)
    header = (tmp_path / 'new.csv').read_text().splitlines()[0]
    assert (header == 'path,labels') == (known and classes is not CLASSES)
    data = DATASETS.build(
        dict(type='mmmsf.CsvMultiLabel', data_prefix=str(tmp_path), pipeline=[], **options)
    )
    np.testing.assert_array_equal(data.get_gt_labels(), targets)
    assert data.metainfo['classes'] == tuple(classes)
    with pytest.raises(FileExistsError, match=r'new\.csv exists'):
        write_label_table(tmp_path / 'new.csv', IMAGES, classes, targets)


def test_names_that_no_table_holds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_label_table(tmp_path / 'new.csv', [' a.jpg', 'b.jpg'], CLASSES, TARGETS)
    assert not list(tmp_path.iterdir())
