import csv
from pathlib import Path

import pytest
from _table import Record, markdown_table, time_ratio, write_csv
from _timing import Spread

SETTING = dict(batch=2, px=32)


def make_record(name: str, seconds: list[float], what: str = 'inference', **kwargs) -> Record:
    return Record(
        name,
        'eager',
        what,
        {**SETTING, 'batch': kwargs.pop('batch', 2)},
        1_500_000,
        3e9,
        seconds,
        **kwargs,
    )


def read(table: str) -> list[dict[str, str]]:
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in table.splitlines()]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def test_speed_and_share_of_the_peak() -> None:
    record = make_record('a', [1.0, 2.0, 9.0], peak=6e9)
    assert record.flops_per_second == 1.5e9
    assert record.share_of_peak == 0.25
    assert record.images_per_second == 1
    assert make_record('a', []).share_of_peak is None
    assert make_record('a', [1.0]).share_of_peak is None


def test_ratios_are_taken_round_by_round() -> None:
    # Load that came and went: the second round was ten times as slow for both.
    first, other = make_record('a', [1.0, 10.0, 1.0]), make_record('b', [2.0, 20.0, 3.0])
    assert time_ratio(other, first) == Spread(2.0, 2.0, 2.5)
    assert time_ratio(make_record('c', []), first) is None


def test_every_setting_has_a_first_row_of_its_own() -> None:
    rows = read(
        markdown_table(
            [
                make_record('a', [1.0], memory=2**20),
                make_record('b', [2.0], memory=3 * 2**20),
                make_record('a', [8.0], batch=4),
                make_record('b', [4.0], batch=4),
                make_record('a', [5.0], 'train'),
                make_record('b', [20.0], 'train', peak=1e9),
            ]
        )
    )
    assert [row['time ratio'].split()[0] for row in rows] == [
        '1.00',
        '2.00',
        '1.00',
        '0.500',
        '1.00',
        '4.00',
    ]
    assert [row['memory ratio'] for row in rows] == ['1.00', '3.00', '-', '-', '-', '-']
    assert rows[1] == {
        'model': 'b',
        'mode': 'eager',
        'what': 'inference',
        'batch': '2',
        'px': '32',
        'parameters': '1.5 M',
        'GFLOP': '3.00',
        'ms': '2000 [2000, 2000]',
        'images/s': '1.00',
        'time ratio': '2.00 [2.00, 2.00]',
        'of peak': '-',
        'MiB': '3',
        'memory ratio': '3.00',
    }
    assert rows[5]['of peak'] == '15%'


def test_columns_without_content_are_left_out() -> None:
    assert 'MiB' not in markdown_table([make_record('a', [1.0])])
    assert ' ms ' not in markdown_table([make_record('a', [], memory=1)])
    assert 'launches' in markdown_table([make_record('a', [1.0], launches=7)])


def test_the_csv_is_unrounded(tmp_path: Path) -> None:
    write_csv(
        [make_record('a', [1 / 3, 1 / 7, 1 / 5], peak=1e10), make_record('b', [])],
        tmp_path / 't.csv',
    )
    with open(tmp_path / 't.csv', newline='') as file:
        first, second = csv.DictReader(file)
    assert [float(x) for x in first['seconds'].split()] == [1 / 3, 1 / 7, 1 / 5]
    assert float(first['median_seconds']) == 1 / 5
    assert float(first['images_per_second']) == 10
    assert float(first['share_of_peak']) == pytest.approx(3e9 * 5 / 1e10)
    assert (second['time_ratio'], second['batch']) == ('', '2')
