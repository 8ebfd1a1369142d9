"""Rows of configs and of grid files."""

from pathlib import Path

import pytest
from _grid import find_files, make_rows, read_grid

BASE = """
model = dict(
    neck=dict(fuse=True), head=dict(loss=dict(type='mmmsf.AsymmetricLoss', gamma_neg=4), layers=2))
lr = 1
"""
GRID = """
base: nets/msf_net.py
tables:
  one:
    msf-x: {model.neck.fuse: false}
    msf-y: {model.head.loss: {_delete_: true, type: CrossEntropyLoss}}
  two:
    msf-z: {lr: 3}
"""


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    (tmp_path / 'nets').mkdir()
    (tmp_path / 'nets/msf_net.py').write_text(BASE)
    (tmp_path / 'other_net.py').write_text(BASE.replace('layers=2', 'layers=5'))
    path = tmp_path / 'grid.yml'
    path.write_text(GRID)
    return path


def test_rows_change_the_base_of_the_grid(grid: Path) -> None:
    rows = {row.name: row.cfg for row in make_rows([grid])}
    assert list(rows) == ['msf', 'msf-x', 'msf-y', 'msf-z']
    assert rows['msf'].model.neck.fuse is True
    assert rows['msf-x'].model.neck.fuse is False
    assert rows['msf-x'].model.head.layers == 2
    assert rows['msf-y'].model.head.loss == dict(type='CrossEntropyLoss')
    assert rows['msf-z'].lr == 3


def test_rows_change_another_base(grid: Path) -> None:
    rows = make_rows([grid], base=grid.parent / 'other_net.py', names=['msf-x'])
    assert [row.name for row in rows] == ['other', 'msf-x']
    assert [row.cfg.model.head.layers for row in rows] == [5, 5]


@pytest.mark.parametrize(
    ('names', 'found'),
    [
        (['two'], ['msf-z']),
        (['msf-y', 'two'], ['msf-y', 'msf-z']),
        (['msf-x', 'one'], ['msf-x', 'msf-y']),
    ],
)
def test_selection_by_table_and_row(grid: Path, names: list[str], found: list[str]) -> None:
    assert [name for name, _ in read_grid(grid).select(names)] == found


def test_unknown_row(grid: Path) -> None:
    with pytest.raises(ValueError, match='`rows` must name tables .* got msf-w, three'):
        make_rows([grid], names=['msf-x', 'three', 'msf-w'])


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('tables: {}', 'keys `base` and `tables`'),
        ('[1, 2]', 'keys `base` and `tables`'),
        ('base: a.py\ntables: {one: {msf-x: 3}}', 'must map tables to rows'),
        ('base: a.py\ntables: [one]', 'must map tables to rows'),
        ('base: [', 'is not valid YAML'),
        ('base: !!python/object/apply:os.getcwd []\ntables: {}', 'is not valid YAML'),
    ],
)
def test_invalid_grid_files(grid: Path, text: str, message: str) -> None:
    grid.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_grid(grid)


def test_numbers_are_names(grid: Path) -> None:
    grid.write_text('base: nets/msf_net.py\ntables: {1: {320: {lr: 1}}}')
    assert [row.name for row in make_rows([grid], names=['320'])] == ['msf', '320']


def test_missing_files(grid: Path) -> None:
    with pytest.raises(FileNotFoundError, match='no grid file'):
        read_grid(grid.with_name('none.yml'))
    with pytest.raises(FileNotFoundError, match=r'none\.py'):
        make_rows([grid], base='none.py')


def test_change_that_does_not_fit(grid: Path) -> None:
    grid.write_text('base: nets/msf_net.py\ntables: {one: {msf-x: {lr: {a: 1}}}}')
    with pytest.raises(ValueError, match='options lr do not fit .*, row msf-x of'):
        make_rows([grid])


def test_crossed_values_and_options_reach_every_row(grid: Path) -> None:
    rows = make_rows(
        [grid],
        names=['msf-z'],
        crossed={'model.head.layers': [1, 3], 'lr': [0.1]},
        options={'model.neck.fuse': False},
    )
    assert [row.name for row in rows] == [
        *('msf layers=1 lr=0.1', 'msf layers=3 lr=0.1'),
        *('msf-z layers=1 lr=0.1', 'msf-z layers=3 lr=0.1'),
    ]
    assert [row.cfg.model.head.layers for row in rows] == [1, 3, 1, 3]
    assert all(row.cfg.lr == 0.1 and row.cfg.model.neck.fuse is False for row in rows)


def test_rows_of_one_name_are_refused(grid: Path) -> None:
    with pytest.raises(ValueError, match='different names, got msf more than once'):
        make_rows([grid, grid.parent / 'nets/msf_net.py'])


def test_a_folder_stands_for_its_configs(tmp_path: Path) -> None:
    (tmp_path / '_base_').mkdir()
    for name in ('b.py', 'a.py', '_base_/c.py', 'd.yml'):
        (tmp_path / name).write_text('')
    found = find_files([str(tmp_path), 'x.yml'])
    assert found == [tmp_path / 'a.py', tmp_path / 'b.py', Path('x.yml')]
