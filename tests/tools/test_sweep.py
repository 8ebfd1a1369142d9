import csv
import json
from pathlib import Path

import pytest
from _sweep import (
    Result,
    config_hash,
    epoch_seconds,
    make_cells,
    markdown_table,
    read_delta,
    write_csv,
)
from mmengine.config import Config

BASE = """
model = dict(
    neck=dict(fuse=True), head=dict(loss=dict(type='mmmsf.AsymmetricLoss', gamma_neg=4), layers=2))
lr = 1
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / 'msf_net.py'
    path.write_text(BASE)
    return path


def write_cell(folder: Path, name: str, body: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f'{name}_net.py'
    path.write_text(f"'''Other base.'''\n_base_ = 'nowhere.py'\n{body}\n")
    return path


def make_result(cell: str, seed: int, value: float, **sizes: float) -> Result:
    metrics = dict(mAP=value, CF1=value, OF1=value, **sizes)
    return Result(cell, seed, metrics, 1234567, 87.7031, 30.0 + seed, 'h')


def test_a_cell_is_put_on_another_base(tmp_path: Path, base: Path) -> None:
    cell = write_cell(tmp_path, 'msf-x', 'model = dict(neck=dict(fuse=False))')
    first, second = make_cells([cell], base)
    assert (first.name, second.name) == ('msf', 'msf-x')
    assert first.cfg.model.neck.fuse is True
    assert second.cfg.model.neck.fuse is False
    assert second.cfg.model.head.layers == 2


def test_a_part_can_be_replaced(tmp_path: Path, base: Path) -> None:
    cell = write_cell(
        tmp_path,
        'msf-x',
        "model = dict(head=dict(loss=dict(_delete_=True, type='CrossEntropyLoss')))",
    )
    assert make_cells([cell], base)[1].cfg.model.head.loss == dict(type='CrossEntropyLoss')


def test_a_cell_with_logic_is_refused(tmp_path: Path) -> None:
    cell = write_cell(tmp_path, 'msf-x', 'lr = 2 * 3 if True else 1')
    with pytest.raises(ValueError, match='msf-x_net.py cannot be put on another base: line'):
        read_delta(cell)


def test_a_grid_crosses_every_row_and_options_reach_all(tmp_path: Path, base: Path) -> None:
    cells = make_cells(
        [base], grid={'model.head.layers': [1, 3], 'lr': [0.1]}, options={'model.neck.fuse': False}
    )
    assert [cell.name for cell in cells] == ['msf layers=1 lr=0.1', 'msf layers=3 lr=0.1']
    assert [cell.cfg.model.head.layers for cell in cells] == [1, 3]
    assert all(cell.cfg.lr == 0.1 and cell.cfg.model.neck.fuse is False for cell in cells)


def test_rows_of_one_name_are_refused(base: Path, tmp_path: Path) -> None:
    (tmp_path / 'nowhere.py').write_text('')
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other' / 'nowhere.py').write_text('')
    with pytest.raises(ValueError, match='share a name: msf'):
        make_cells([base, write_cell(tmp_path / 'other', 'msf', 'lr = 2')])


def test_the_hash_follows_the_content_only(tmp_path: Path, base: Path) -> None:
    copy = tmp_path / 'copy.py'
    copy.write_text('lr = 1\n' + BASE)
    assert config_hash(Config.fromfile(base)) == config_hash(Config.fromfile(copy))
    copy.write_text(BASE + 'lr = 2\n')
    assert config_hash(Config.fromfile(base)) != config_hash(Config.fromfile(copy))


def test_seconds_of_an_epoch_over_a_resumed_run(tmp_path: Path) -> None:
    rows = [
        dict(loss=1.0, epoch=1, iter=5, time=1.0),
        dict(loss=1.0, epoch=1, iter=10, time=3.0),
        dict(acc=1.0, step=1),
        dict(loss=1.0, epoch=2, iter=15, time=8.0),
        dict(loss=1.0, epoch=2, iter=20, time=8.0),
        dict(loss=1.0, epoch=3, iter=30, time=4.0),
    ]
    for name, part in (('a', rows[:3]), ('b', rows[3:])):
        folder = tmp_path / name / 'vis_data'
        folder.mkdir(parents=True)
        (folder / 'scalars.json').write_text(''.join(json.dumps(row) + '\n' for row in part))
    assert epoch_seconds(tmp_path) == 40.0  # median of 10 x 2, 10 x 8 and 10 x 4
    with pytest.raises(ValueError, match='no training scalars'):
        epoch_seconds(tmp_path / 'nothing')


def test_the_table_has_means_spreads_and_paired_differences() -> None:
    table = markdown_table(
        [
            make_result('msf', 0, 90.0, mAP_small=50.0),
            make_result('msf', 1, 92.0, mAP_small=52.0),
            make_result('msf-x', 0, 91.0),
            make_result('msf-x', 1, 95.0),
            make_result('msf-y', 3, 80.0),
        ]
    )
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in table.splitlines()]
    assert rows[0][:4] == ['cell', 'mAP', 'to first', 'small']
    assert rows[2][:4] == ['msf', '91.00 ± 1.41', '', '51.00 ± 1.41']
    assert rows[3][:4] == ['msf-x', '93.00 ± 2.83', '2.00 ± 1.41', '-']
    assert rows[4][:3] == ['msf-y', '80.00', '']
    assert rows[2][8:] == ['1,234,567', '87.7', '30.5 ± 0.7', '0, 1']


def test_the_csv_has_a_row_a_run_and_results_survive_the_disk(tmp_path: Path) -> None:
    result = make_result('msf', 3, 1 / 3)
    result.save(tmp_path / 'result.json')
    assert Result.load(tmp_path / 'result.json') == result
    write_csv([result], tmp_path / 'table.csv')
    with open(tmp_path / 'table.csv', newline='') as file:
        (row,) = csv.DictReader(file)
    assert float(row['mAP']) == 1 / 3
    assert (row['seed'], row['mAP_small'], row['params']) == ('3', '', '1234567')
