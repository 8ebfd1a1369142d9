"""The tables of configs/evidence/README.md are those of its runs.csv."""

import csv
from pathlib import Path
from statistics import mean, median

import pytest
from _results import METRICS, spread

FOLDER = Path(__file__).resolve().parents[2] / 'configs/evidence'
README, FROZEN = (
    (FOLDER / 'README.md').read_text(encoding='utf-8').split('\n## On frozen features\n')
)
with open(FOLDER / 'runs.csv', encoding='utf-8', newline='') as file:
    RUNS = list(csv.DictReader(file))
with open(FOLDER / 'frozen_runs.csv', encoding='utf-8', newline='') as file:
    FROZEN_RUNS = list(csv.DictReader(file))
with open(FOLDER / 'trained_runs.csv', encoding='utf-8', newline='') as file:
    TRAINED_RUNS = list(csv.DictReader(file))
FIFTH = 'fifth of train'
ROWS = [path.name.split('_')[0] for path in sorted(FOLDER.glob('*.py'))]


def values(row: str, key: str, data: str = 'photographs') -> list[float]:
    """Return a column of a row, one value a seed."""
    return [float(run[key]) for run in RUNS if (run['data'], run['row']) == (data, row)]


def printed(row: str) -> list[str]:
    """Return the cells of a row of the README's first table, without emphasis."""
    (line,) = [
        x for x in README.splitlines() if x.startswith(f'| `{row}` |') and x.count('|') == 12
    ]
    return [cell.strip().replace('**', '') for cell in line.split('|')[1:-1]]


@pytest.mark.parametrize('row', ROWS)
def test_every_recipe_has_three_runs_in_the_first_table(row: str) -> None:
    cells = printed(row)
    columns = METRICS[:6]  # of the runs of 0.1.0
    digits = dict.fromkeys(columns, 2) | dict.fromkeys(columns[1:4], 1)
    assert cells[2:8] == [spread(values(row, key), digits[key]) for key in columns]
    assert cells[8] == f'{values(row, "params")[0]:,.0f}'
    assert cells[9] == f'{values(row, "gflops")[0]:.3g}'
    assert float(cells[10]) == pytest.approx(median(values(row, 'epoch_seconds')) / 34, abs=0.006)
    assert [run['seed'] for run in RUNS if run['row'] == row][:3] == ['0', '1', '2']
    assert len({run['config_hash'] for run in RUNS if run['row'] == row} - {''}) == 1


@pytest.mark.parametrize(
    ('row', 'loss', 'norm'),
    [
        ('msf', (1.08, 1.19), (8, 10)),
        ('msf-lite', (0.74, 0.81), (5, 6)),
        ('msf-authors', (1.05, 1.11), (17, 18)),
    ],
)
def test_losses_and_norms_in_the_text(
    row: str, loss: tuple[float, float], norm: tuple[int, int]
) -> None:
    for key, bounds, digits in (('loss', loss, 2), ('grad_norm', norm, 0)):
        found = values(row, key)
        assert (round(min(found), digits), round(max(found), digits)) == bounds


@pytest.mark.parametrize(
    ('row', 'found'),
    [('msf-gate', '62.70 ± 0.95'), ('msf', '48.67 ± 1.25'), ('msf-lite', '65.79 ± 0.67')],
)
def test_gate_and_depth(row: str, found: str) -> None:
    assert spread(values(row, 'mAP')) == found
    assert f'{found}' in README


def test_differences_to_the_papers_network() -> None:
    for row, found in (('msf-gate', '14.03 ± 2.02'), ('msf-lite', '17.12 ± 1.68')):
        paired = [a - b for a, b in zip(values(row, 'mAP'), values('msf', 'mAP'), strict=True)]
        assert spread(paired) == found
        assert f'+{found}' in README


ADDITIONS = ('none', 'res-tanh', 'adapters', 'poolgate', 'raw')


@pytest.mark.parametrize('name', ['msf-lite', *(f'msf-lite-{name}' for name in ADDITIONS)])
def test_additions(name: str) -> None:
    """Each line has mAP and small mAP on the hard digits and mAP of seed 0 on the photographs."""
    (line,) = [x for x in README.splitlines() if x.endswith(f'| `{name}` |')]
    cells = [cell.strip() for cell in line.split('|')[1:-1]]
    for cell, data, key in (
        (cells[1], 'hard digits', 'mAP'),
        (cells[2], 'hard digits', 'mAP_small'),
        (cells[3], 'photographs', 'mAP'),
    ):
        found = values(name, key, data)[: 1 if data == 'photographs' else 2]
        assert cell.split(' (')[0] == ', '.join(f'{value:.2f}' for value in found)


def test_distilled_head() -> None:
    (value,) = values('linear-distilled', 'mAP')
    assert f'| {value:.2f} (+{value - values("linear", "mAP")[0]:.2f}) |' in README
    assert mean(values('linear', 'mAP')) == pytest.approx(61.34, abs=0.005)


@pytest.mark.parametrize(
    ('data', 'row', 'rate'),
    [
        ('voc_mini', 'linear', '0.003'),
        ('voc_mini', 'csra', '0.03'),
        ('voc_mini', 'q2l', '0.001'),
        ('voc_mini', 'ml-decoder-s32', '0.001'),
        ('voc_mini', 'msf-lite', '0.001'),
        ('voc_mini', 'ours', '0.003'),
        ('coco_small', 'linear', '0.001'),
        ('coco_small', 'csra', '0.03'),
        ('coco_small', 'ml-decoder', '0.0003'),
        ('coco_small', 'q2l', '0.001'),
        ('coco_small', 'msf-lite', '0.001'),
        ('coco_small', 'ours', '0.001'),
    ],
)
def test_frozen_heads_have_three_runs_in_their_table(data: str, row: str, rate: str) -> None:
    key = (f'{data} val', row, rate)
    runs = [run for run in FROZEN_RUNS if (run['data'], run['row'], run['rate']) == key]
    assert [run['seed'] for run in runs] == ['0', '1', '2']
    table = FROZEN.partition(f'**{data}, ')[2].replace('**', '').splitlines()
    line = next(x for x in table if x.startswith(f'| `{row}` | '))
    assert f' {spread([float(run["mAP"]) for run in runs], 2)} ' in line
    assert f' {int(runs[0]["params"]):,} ' in line


@pytest.mark.parametrize(
    ('row', 'rate'),
    [('csra', '0.03'), ('ml-decoder-100-groups', '0.0003'), ('ours-100-groups', '0.001')],
)
def test_heads_on_corel5k(row: str, rate: str) -> None:
    key = ('corel5k val', row, rate)
    runs = [run for run in FROZEN_RUNS if (run['data'], run['row'], run['rate']) == key]
    table = FROZEN.partition('**corel5k, ')[2].replace('**', '').splitlines()
    line = next(x for x in table if x.startswith(f'| `{row}` | '))
    seeds, *cells = [x.strip() for x in line.split('|')[2:6]]
    assert seeds == ', '.join(run['seed'] for run in runs) == '0, 1, 2'
    assert cells == [
        spread([float(run[column]) for run in runs], digits)
        for column, digits in (('mAP', 2), ('CF1', 1), ('OF1', 1))
    ]


def fifth_of_voc(row: str, rate: str) -> list[str]:
    """Return mAP of a row of the fifth of voc_mini, one value a seed."""
    key = (f'voc_mini {FIFTH}', row, f'{float(rate):g}')
    found = [run for run in FROZEN_RUNS if (run['data'], run['row'], run['rate']) == key]
    return [f'{float(run["mAP"]):.1f}' for run in found]


def test_rates_on_voc_mini() -> None:
    """A cell has the value of seed 0, and of the first two in brackets; more rates by the name."""
    lines = FROZEN.partition('\nRates on the fifth of train (')[2].replace('**', '').splitlines()
    first = lines.index('| row | 3e-4 | 1e-3 | 3e-3 | 1e-2 | 3e-2 |')
    header, _, *rows = lines[first : lines.index('', first)]
    assert len(rows) == 9
    for line in rows:
        name, *cells = [x.strip() for x in line.split('|')[1:-1]]
        found = dict(zip(header.split(' | ')[1:], cells, strict=True))
        _, row, more = name.split('`')
        if more:
            rate, _, value = more.strip(' ()').partition(': ')
            found[rate] = value
        for rate, cell in found.items():
            if cell:
                value, _, both = cell.rstrip(')').partition(' (')
                expected = fifth_of_voc(row, rate.strip('| '))
                assert value == expected[0], (row, rate)
                assert not both or both == ', '.join(expected[:2]), (row, rate)


def test_changes_of_ours() -> None:
    """Seeds of one rate are divided by commas, rates by semicolons."""
    lines = FROZEN.partition('Changes of `ours`, on that')[2].splitlines()
    first = lines.index('| row | rate | mAP |') + 2
    rows = lines[first : lines.index('', first)]
    assert len(rows) == 17
    for line in rows:
        name, rates, cell = [x.strip() for x in line.split('|')[1:-1]]
        for rate, found in zip(rates.split(', '), cell.split(' (')[0].split('; '), strict=True):
            assert found == ', '.join(fifth_of_voc(name.split('`')[1], rate)), (name, rate)


def test_the_printed_network_starts_from_small_maps() -> None:
    for row in ('msf', 'msf-none', 'msf-init-0.3'):
        key = ('voc_mini val', row, '0.0003')
        (run,) = [x for x in FROZEN_RUNS if (x['data'], x['row'], x['rate']) == key]
        (line,) = [x for x in FROZEN.splitlines() if x.startswith(f'| `{row}`, ')]
        assert f' {float(run["mAP"]):.2f} ' in line.replace('**', '')


@pytest.mark.parametrize(
    ('title', 'runs', 'data', 'names'),
    [
        ('**Frozen features, voc_mini', FROZEN_RUNS, 'voc_mini fifth of train, recipe', 9),
        ('**Longer is better', FROZEN_RUNS, 'voc_mini val, 24 epochs', 3),
        ('[The recipe](', TRAINED_RUNS, 'voc_mini fifth of train, 224 px', 7),
    ],
)
def test_rows_of_other_trainings(title: str, runs: list[dict], data: str, names: int) -> None:
    lines = FROZEN.partition(title)[2].replace('**', '').partition('\n|')[2].splitlines()
    header = [cell.strip() for cell in lines[0].split('|')[1:-1]]
    keys = {f'mAP_{key}' if key in ('small', 'medium', 'large') else key: key for key in header}
    lines = lines[2 : lines.index('')]
    assert len(lines) == names
    for line in lines:
        row, *cells = [cell.strip() for cell in line.split('|')[1:-1]]
        found = [run for run in runs if (run['data'], run['row']) == (data, row.strip('`'))]
        rate = min(run['rate'] for run in found)  # of the table; others are in the text
        found = [run for run in found if run['rate'] == rate]
        expected = [
            spread([float(run[key]) for run in found], 2 if key == 'mAP' else 1) for key in keys
        ]
        assert cells == expected, row


SIZES = {  # lines of the first table: data, row and rate of the runs, at the crops' size and at others
    '`msf-ours`, trained, voc_mini': [(f'voc_mini {FIFTH}, 224 px', 'msf-ours', '0.001')] * 2,
    'the same, voc_mini': [(f'voc_mini {FIFTH}, 320 px', 'msf-ours', '0.001')] * 2,
    '`ours-frozen`, voc_mini': [(f'voc_mini {FIFTH}, 224 px', 'ours-frozen', '0.001')] * 2,
    '`ours`, frozen, 24 epochs, voc_mini': [
        (f'voc_mini {FIFTH}, recipe', '24e', '0.003'),
        (f'voc_mini {FIFTH}, 24 epochs', 'ours', '0.003'),
    ],
    '`ours`, frozen, coco_small': [(f'coco_small {FIFTH}', 'ours', '0.001')] * 2,
    'the same, coco_small': [(f'coco_small {FIFTH}, crops of 320 px', 'ours', '0.001')] * 2,
}


def size_tables() -> tuple[list[list[str]], list[list[str]]]:
    """Return the cells of the README's two tables on sizes, header first, without emphasis."""
    lines = FROZEN.partition('\n## Whole images larger than crops\n')[2].splitlines()
    start = lines.index('| network | crops | 224 | 256 | 288 | 320 | 352 | 384 | 448 | 512 |')
    other = next(i for i, x in enumerate(lines) if x.startswith('| set, crops |'))
    tables = []
    for first in (start, other):
        rows = lines[first : lines.index('', first)]
        cells = [[x.strip().replace('**', '') for x in row.split('|')[1:-1]] for row in rows]
        tables.append([cells[0], *cells[2:]])
    return tables[0], tables[1]


def test_sizes_on_the_fifths_of_train() -> None:
    header, *rows = size_tables()[0]
    assert [row[0] for row in rows] == list(SIZES)
    for network, crops, *cells in rows:
        for size, cell in zip(header[2:], cells, strict=True):
            data, *key = SIZES[network][size != crops]
            data += '' if size == crops else f', tested at {size} px'
            found = [
                f'{float(run["mAP"]):.1f}'
                for run in FROZEN_RUNS + TRAINED_RUNS
                if [run['data'], run['row'], run['rate']] == [data, *key]
            ]
            assert cell == ', '.join(found), (network, size)


def test_heads_on_larger_whole_images() -> None:
    rows = size_tables()[1][1:]
    name = ''
    for data, row, _, larger, *others in rows:
        name = data or name
        kind, crops, *epochs = name.split(', ')
        size = {'224': '320', '320': '448'}[crops]
        key = (', '.join([f'{kind} val', *epochs, f'tested at {size} px']), row.strip('`'))
        found = [run for run in FROZEN_RUNS if (run['data'], run['row']) == key]
        assert larger == spread([float(run['mAP']) for run in found], 2), key
        for cell, column in zip(others, ('mAP_medium', 'CF1', 'OF1'), strict=True):
            values = [float(run[column]) for run in found if run[column]]
            assert cell == (f'{mean(values):.1f}' if values else ''), key


def test_heads_with_the_backbone_trained() -> None:
    lines = FROZEN.partition('| row | crops | whole images | seeds | mAP |')[2].splitlines()[2:]
    for line in lines[: lines.index('')]:
        cells = [x.strip().replace('**', '') for x in line.split('|')[1:-1]]
        row, crops, size, seeds, *cells, _ = cells
        data = f'voc_mini val, {crops} px' + (f', tested at {size} px' if size != crops else '')
        key = (data, row.strip('`'))
        found = [run for run in TRAINED_RUNS if (run['data'], run['row']) == key]
        assert [run['seed'] for run in found] == seeds.split(', ')
        columns = ('mAP', 'mAP_small', 'mAP_medium', 'mAP_large', 'CF1', 'OF1')
        expected = [
            spread([float(run[column]) for run in found], 2 if column == 'mAP' else 1)
            for column in columns
        ]
        assert cells == expected, key
