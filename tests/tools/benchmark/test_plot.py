from pathlib import Path

import pytest
from _plot import growing, plot_growth
from _table import Record


def make_record(name: str, batch: int, px: int = 32) -> Record:
    return Record(
        name,
        'eager',
        'train',
        dict(batch=batch, px=px),
        1,
        1.0,
        [0.1 * batch],
        memory=batch * 2**20,
    )


def test_draws_the_setting_that_grows(tmp_path: Path) -> None:
    records = [make_record(name, batch) for batch in (1, 2, 4) for name in ('a', 'b')]
    assert growing(records) == 'batch'
    plot_growth(records, tmp_path / 'x.png')
    assert (tmp_path / 'x.png').read_bytes()[:4] == b'\x89PNG'


@pytest.mark.parametrize(
    ('records', 'found'),
    [
        ([], 'none'),
        ([make_record('a', 1)], 'none'),
        ([make_record('a', 1), make_record('a', 2, 64)], 'batch, px'),
    ],
)
def test_one_setting_must_grow(records: list[Record], found: str) -> None:
    with pytest.raises(ValueError, match=f'exactly one setting with several values, got {found}'):
        growing(records)
