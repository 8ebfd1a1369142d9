"""Results of runs, their digests and tables."""

import csv
import json
from pathlib import Path

import pytest
from _results import Result, config_hash, epoch_seconds, markdown_table, write_csv
from mmengine.config import Config


def make_result(row: str, seed: int, value: float, **sizes: float) -> Result:
    metrics = dict(mAP=value, CF1=value, OF1=value, **sizes)
    return Result(row, seed, metrics, 1234567, 87.7031, 30.0 + seed, 'h')


def test_the_hash_depends_on_the_content_only(tmp_path: Path) -> None:
    first, copy = tmp_path / 'first.py', tmp_path / 'copy.py'
    first.write_text('a = dict(b=(1, 2), c=3)\nlr = 1\n')
    copy.write_text('lr = 1\na = dict(c=3, b=(1, 2))\n')
    assert config_hash(Config.fromfile(first)) == config_hash(Config.fromfile(copy))
    copy.write_text('lr = 2\na = dict(c=3, b=(1, 2))\n')
    assert config_hash(Config.fromfile(first)) != config_hash(Config.fromfile(copy))


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
            make_result('msf', 0, 90.0, mAP_small=50.0, mAP_voc=90.2),
            make_result('msf', 1, 92.0, mAP_small=52.0),
            make_result('msf-x', 0, 91.0),
            make_result('msf-x', 1, 95.0),
            make_result('msf-y', 3, 80.0),
        ]
    )
    rows = [[text.strip() for text in line.split('|')[1:-1]] for line in table.splitlines()]
    assert rows[0][:4] == ['row', 'mAP', 'to first', 'small']
    assert rows[2][:4] == ['msf', '91.00 ± 1.41', '', '51.00 ± 1.41']
    assert rows[3][:4] == ['msf-x', '93.00 ± 2.83', '2.00 ± 1.41', '-']
    assert rows[4][:3] == ['msf-y', '80.00', '']
    assert (rows[0][8], rows[2][8], rows[3][8]) == ('mAP_voc', '90.20', '-')
    assert rows[2][9:] == ['1,234,567', '87.7', '30.5 ± 0.7', '0, 1']


def test_the_csv_has_a_row_a_run_and_results_survive_the_disk(tmp_path: Path) -> None:
    result = make_result('msf', 3, 1 / 3)
    result.save(tmp_path / 'result.json')
    assert Result.load(tmp_path / 'result.json') == result
    write_csv([result], tmp_path / 'table.csv')
    with open(tmp_path / 'table.csv', newline='') as file:
        (row,) = csv.DictReader(file)
    assert float(row['mAP']) == 1 / 3
    assert (row['seed'], row['mAP_small'], row['params']) == ('3', '', '1234567')
    assert row['config_hash'] == 'h'
