"""The tables of configs/evidence/README.md are those of its CSV files."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, median

import pytest
from _results import METRICS, spread

FOLDER = Path(__file__).resolve().parents[2] / 'configs/evidence'
TEXT = (FOLDER / 'README.md').read_text(encoding='utf-8')
FIVE_EPOCHS = TEXT.partition('\n## With the last stages trained for five epochs\n')[2]


def read(name: str) -> list[dict[str, str]]:
    with open(FOLDER / name, encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file))


RUNS, FROZEN_RUNS, TRAINED_RUNS = map(read, ('runs.csv', 'frozen_runs.csv', 'trained_runs.csv'))
FIFTH = 'fifth of train'
FOLD = 'voc_mini train, held-out fold {} of 5, tested at 448 px'
COLUMNS = METRICS[:6]  # without the VOC flavour
ROWS = [path.name.split('_')[0] for path in sorted(FOLDER.glob('*.py'))]


def select(
    runs: list[dict[str, str]], data: str, row: str, rate: str | None = None
) -> list[dict[str, str]]:
    """Return the runs of a row, one a seed; of every rate if it is None."""
    found = [run for run in runs if (run['data'], run['row']) == (data, row)]
    return [run for run in found if rate in (None, run['rate'])]


def spreads(runs: list[dict[str, str]], columns: Iterable[str]) -> list[str]:
    """Return mean and deviation of columns of a row as the tables have them."""
    return [
        spread([float(run[column]) for run in runs], 2 if column == 'mAP' else 1)
        for column in columns
    ]


def table(title: str, header: str = '|') -> list[list[str]]:
    """Return the cells of the first table below a title, header first, without emphasis."""
    lines = TEXT.partition(title)[2].replace('**', '').splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(header))
    names, _, *rows = lines[first : lines.index('', first)]
    return [[cell.strip() for cell in line.split('|')[1:-1]] for line in (names, *rows)]


def assert_difference(cell: str, expected: float, within: float = 0.06) -> None:
    """Require a cell's difference, which its interval follows."""
    assert float(cell.split(' [')[0]) == pytest.approx(expected, abs=within), cell


LITE1 = 'voc_mini val, EfficientNet-Lite1, tested at 448 px'
GLANCE = {  # a line of the first table: the data of its runs
    ('voc_mini, frozen', '320 / 448'): 'voc_mini val, tested at 448 px',
    ('voc_mini, frozen, 8 or 24 epochs', '320 / 448'): 'voc_mini val, tested at 448 px',
    ('voc_mini, frozen Lite1', '320 / 448'): LITE1,
    ('voc_mini, trained', '224 / 320'): 'voc_mini val, 224 px, tested at 320 px',
    ('voc_mini, trained', '320 / 448'): 'voc_mini val, 320 px, tested at 448 px',
    ('coco_small, frozen', '224 / 320'): 'coco_small val, tested at 320 px',
    ('coco_small, trained', '224 / 320'): 'coco_small val, 224 px, tested at 320 px',
    ('corel5k, frozen', '224 / 224'): 'corel5k val',
}
GLANCE_ROWS = {  # a column: the rows of the grids, `-s32` where a head does better there
    'linear': ('linear',),
    'CSRA': ('csra',),
    'Query2Label': ('q2l',),
    'ML-Decoder': ('ml-decoder', 'ml-decoder-s32', 'ml-decoder-100-groups'),
    'MSF as printed': ('msf',),
    'and `init_scale=0.3`': ('msf-init-0.3',),
    'msf-lite': ('msf-lite',),
    '`ours`': ('ours', 'msf-ours', 'ours-100-groups'),
}


def test_heads_at_a_glance() -> None:
    """Means of three runs, else their number in brackets; the last column is to the best other."""
    header, *rows = table('\n## At a glance\n')
    assert header[2:-1] == list(GLANCE_ROWS)
    assert [tuple(row[:2]) for row in rows] == list(GLANCE)
    labels = [
        run | {'data': run['data'] + ' val'}
        for run in read('../labels/loss_runs.csv')
        if (run['head'], run['row']) == ('linear', 'linear')
    ]
    for name, size, *cells, difference in rows:
        scores = []
        for heads, cell in zip(GLANCE_ROWS.values(), cells, strict=True):
            runs = FROZEN_RUNS + TRAINED_RUNS + labels
            longer = name.endswith('24 epochs') and heads[0] in ('linear', 'ours')
            data = 'voc_mini val, 24 epochs, tested at 448 px' if longer else GLANCE[name, size]
            found = [
                float(run['mAP']) for run in runs if run['data'] == data and run['row'] in heads
            ]
            number = '' if len(found) in (0, 3) else f' ({len(found)})'
            assert cell == (spread(found, 2) + number if found else ''), (name, size, heads)
            scores += [mean(found)] if found else []
        assert_difference(difference, scores[-1] - max(scores[:-1]))


def values(row: str, key: str, data: str = 'photographs') -> list[float]:
    """Return a column of a row, one value a seed."""
    return [float(run[key]) for run in RUNS if (run['data'], run['row']) == (data, row)]


def printed(row: str) -> list[str]:
    """Return the cells of a row of the table of five epochs, without emphasis."""
    (line,) = [
        x for x in FIVE_EPOCHS.splitlines() if x.startswith(f'| `{row}` |') and x.count('|') == 12
    ]
    return [cell.strip().replace('**', '') for cell in line.split('|')[1:-1]]


@pytest.mark.parametrize('row', ROWS)
def test_every_recipe_has_three_runs_in_the_table_of_five_epochs(row: str) -> None:
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
    assert f'{found}' in TEXT


def test_differences_to_the_papers_network() -> None:
    for row, found in (('msf-gate', '14.03 ± 2.02'), ('msf-lite', '17.12 ± 1.68')):
        paired = [a - b for a, b in zip(values(row, 'mAP'), values('msf', 'mAP'), strict=True)]
        assert spread(paired) == found
        assert f'+{found}' in TEXT


ADDITIONS = ('none', 'res-tanh', 'adapters', 'poolgate', 'raw')


@pytest.mark.parametrize('name', ['msf-lite', *(f'msf-lite-{name}' for name in ADDITIONS)])
def test_additions(name: str) -> None:
    """Each line has mAP and small mAP on the hard digits and mAP of seed 0 on the photographs."""
    (line,) = [x for x in FIVE_EPOCHS.splitlines() if x.endswith(f'| `{name}` |')]
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
    assert f'| {value:.2f} (+{value - values("linear", "mAP")[0]:.2f}) |' in TEXT
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
    runs = select(FROZEN_RUNS, f'{data} val', row, rate)
    assert [run['seed'] for run in runs] == ['0', '1', '2']
    lines = TEXT.partition(f'**{data}, ')[2].replace('**', '').splitlines()
    line = next(x for x in lines if x.startswith(f'| `{row}` | '))
    assert f' {spread([float(run["mAP"]) for run in runs], 2)} ' in line
    assert f' {int(runs[0]["params"]):,} ' in line


@pytest.mark.parametrize(
    ('row', 'rate'),
    [('csra', '0.03'), ('ml-decoder-100-groups', '0.0003'), ('ours-100-groups', '0.001')],
)
def test_heads_on_corel5k(row: str, rate: str) -> None:
    runs = select(FROZEN_RUNS, 'corel5k val', row, rate)
    (cells,) = [cells for cells in table('**corel5k, ') if cells[0] == f'`{row}`']
    assert cells[1] == ', '.join(run['seed'] for run in runs) == '0, 1, 2'
    assert cells[2:5] == spreads(runs, ('mAP', 'CF1', 'OF1'))


def fifth_of_voc(row: str, rate: str) -> list[str]:
    """Return mAP of a row of the fifth of voc_mini, one value a seed."""
    found = select(FROZEN_RUNS, f'voc_mini {FIFTH}', row, f'{float(rate):g}')
    return [f'{float(run["mAP"]):.1f}' for run in found]


def test_rates_on_voc_mini() -> None:
    """A cell has the value of seed 0, and of the first two in brackets; more rates by the name."""
    header, *rows = table('\nRates on the fifth of train (')
    assert header[1:] == ['3e-4', '1e-3', '3e-3', '1e-2', '3e-2'] and len(rows) == 9
    for name, *cells in rows:
        found = dict(zip(header[1:], cells, strict=True))
        _, row, more = name.split('`')
        if more:
            rate, _, value = more.strip(' ()').partition(': ')
            found[rate] = value
        for rate, cell in found.items():
            if cell:
                value, _, both = cell.rstrip(')').partition(' (')
                expected = fifth_of_voc(row, rate)
                assert value == expected[0], (row, rate)
                assert not both or both == ', '.join(expected[:2]), (row, rate)


def test_changes_of_ours() -> None:
    """Seeds of one rate are divided by commas, rates by semicolons."""
    rows = table('**Changes of `ours` on voc_mini**', '| row | rate | mAP |')[1:]
    assert len(rows) == 17
    for name, rates, cell in rows:
        for rate, found in zip(rates.split(', '), cell.split(' (')[0].split('; '), strict=True):
            assert found == ', '.join(fifth_of_voc(name.split('`')[1], rate)), (name, rate)


def test_changes_of_ours_on_coco_small() -> None:
    rows = table('**Changes of `ours` on coco_small**', '| row |')[1:]
    first = float(rows[0][1])
    assert len(rows) == 16 and rows[0][0] == '`ours`'
    for row, score, difference, *_ in rows:
        data = f'coco_small {FIFTH}, tested at 320 px'
        run = select(FROZEN_RUNS, data, row.strip('`'), '0.001')[0]
        assert run['seed'] == '0' and score == f'{float(run["mAP"]):.2f}', row
        if row != '`ours`':
            assert_difference(difference, float(score) - first)


def test_the_printed_network_starts_from_small_maps() -> None:
    header, *rows = table('**The printed network and `init_scale`**', '| set, backbone |')
    names = [cell.strip('`') for cell in header[1:4]]
    for data, cells in zip(('voc_mini val', LITE1, 'coco_small val'), rows, strict=True):
        runs = [select(FROZEN_RUNS, data, row, '0.0003')[0] for row in names]
        scores = [float(run['mAP']) for run in runs]
        assert cells[1:4] == [f'{score:.2f}' for score in scores]
        differences = [f'{score - scores[1]:+.2f}' for score in (scores[0], scores[2])]
        assert [cell.split(' [')[0] for cell in cells[4:]] == differences


def test_heads_on_a_second_backbone() -> None:
    rows = table('**A second pretrained backbone**', '| row |')[1:]
    ours = mean(float(run['mAP']) for run in select(FROZEN_RUNS, LITE1, 'ours'))
    assert len(rows) == 6
    for row, seeds, *cells, difference in rows:
        found = select(FROZEN_RUNS, LITE1, row.strip('`'))
        assert [run['seed'] for run in found] == seeds.split(', ')
        assert cells == spreads(found, COLUMNS), row
        if row != '`ours`':
            score = mean(float(run['mAP']) for run in found)
            assert_difference(difference, ours - score, 0.006)


def folds(row: str, rate: str, count: int, data: str = FOLD) -> list[float]:
    """Return mAP of a row, one value a fold."""
    key = row, f'{float(rate):g}'
    runs = [run for k in range(count) for run in select(FROZEN_RUNS, data.format(k), *key)]
    assert len(runs) == count, key
    return [float(run['mAP']) for run in runs]


def test_five_folds() -> None:
    rows = table('**Five folds in place of one fifth.**', '| row |')[1:]
    assert len(rows) == 36
    for row, rate, cell in rows:
        scores = folds(row.replace('`', ''), rate, 5)
        assert cell == f'{mean(scores):.2f}', row


def test_profiles_as_printed_on_larger_images() -> None:
    rows = table('\nWhole images of 448 px, voc_mini val, Lite0')[1:]
    assert len(rows) == 3
    for row, *cells in rows:
        (run,) = select(FROZEN_RUNS, 'voc_mini val, tested at 448 px', row.strip('`'))
        assert cells == spreads([run], ('mAP', 'mAP_medium')), row


def test_values_of_init_scale() -> None:
    rows = table('\nThe value, on the first three of the')[1:]
    assert len(rows) == 4
    for row, cell in rows:
        assert cell == ', '.join(f'{x:.1f}' for x in folds(row.strip('`'), '3e-4', 3)), row


def test_init_scale_from_the_first_step() -> None:
    rows = table('\nUntil now the first step of a bfloat16 training')[1:]
    assert [row[0] for row in rows] == ['`msf-init-0.3`', '`ours-init-scale`']
    for (row, *cells), rate in zip(rows, ('3e-4', '1e-3'), strict=True):
        for cell, data in zip(cells, (f'{FOLD}, again', FOLD), strict=True):
            found = folds(row.strip('`'), rate, 3, data)
            assert cell == ', '.join(f'{x:.1f}' for x in found), (row, data)


def test_changes_of_the_recipe_on_coco_small() -> None:
    rows = table('\nOne change of the recipe each, coco_small val')[1:]
    assert [row[0] for row in rows] == ['`msf-ours`', '`ours-one-rate`', '`ours-splice-mix`']
    for row, score, difference, *_ in rows:
        data = 'coco_small val, 224 px, tested at 320 px'
        (run,) = [x for x in select(TRAINED_RUNS, data, row.strip('`')) if x['seed'] == '0']
        assert score == f'{float(run["mAP"]):.2f}'
        assert_difference(difference or '0', float(score) - float(rows[0][1]))


@pytest.mark.parametrize(
    ('title', 'runs', 'data', 'names'),
    [
        ('**Frozen features, voc_mini', FROZEN_RUNS, 'voc_mini fifth of train, recipe', 9),
        ('**Longer is better', FROZEN_RUNS, 'voc_mini val, 24 epochs', 3),
        ('[The recipe](', TRAINED_RUNS, 'voc_mini fifth of train, 224 px', 7),
        (
            '\nand on 320 px, which the recipe',
            TRAINED_RUNS,
            'voc_mini fifth of train, 224 px, tested at 320 px',
            8,
        ),
    ],
)
def test_rows_of_other_trainings(title: str, runs: list[dict], data: str, names: int) -> None:
    header, *rows = table(title)
    sizes = ('small', 'medium', 'large')
    columns = [f'mAP_{key}' if key in sizes else key for key in header[1:]]
    assert len(rows) == names
    for row, *cells in rows:
        found = select(runs, data, row.strip('`'))
        rate = min(run['rate'] for run in found)  # of the table; others are in the text
        assert cells == spreads([run for run in found if run['rate'] == rate], columns), row



def test_other_trainings_on_coco_small() -> None:
    rows = table('**coco_small, 224 px**, the fifth of train', '| row |')[1:]
    assert len(rows) == 9
    first = float(rows[0][1])
    for row, *cells in rows:
        (run,) = select(FROZEN_RUNS, f'coco_small {FIFTH}, recipe, tested at 320 px', row.strip('`'))
        assert cells[:3] == spreads([run], ('mAP', 'CF1', 'OF1')), row
        if row != '`ours`':
            assert_difference(cells[3], float(cells[0]) - first)


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


SIZE_SECTION = '\n## Whole images larger than crops\n'


def test_sizes_on_the_fifths_of_train() -> None:
    header, *rows = table(SIZE_SECTION, '| network | crops |')
    assert header[2:] == ['224', '256', '288', '320', '352', '384', '448', '512']
    assert [row[0] for row in rows] == list(SIZES)
    for network, crops, *cells in rows:
        for size, cell in zip(header[2:], cells, strict=True):
            data, *key = SIZES[network][size != crops]
            data += '' if size == crops else f', tested at {size} px'
            found = select(FROZEN_RUNS + TRAINED_RUNS, data, *key)
            assert cell == ', '.join(f'{float(run["mAP"]):.1f}' for run in found), (network, size)


def test_heads_on_larger_whole_images() -> None:
    rows = table(SIZE_SECTION, '| set, crops |')[1:]
    name = ''
    for data, row, _, larger, *others in rows:
        name = data or name
        kind, crops, *epochs = name.split(', ')
        size = {'224': '320', '320': '448'}[crops]
        key = (', '.join([f'{kind} val', *epochs, f'tested at {size} px']), row.strip('`'))
        found = select(FROZEN_RUNS, *key)
        assert [larger] == spreads(found, ['mAP']), key
        for cell, column in zip(others, ('mAP_medium', 'CF1', 'OF1'), strict=True):
            values = [float(run[column]) for run in found if run[column]]
            assert cell == (f'{mean(values):.1f}' if values else ''), key


@pytest.mark.parametrize(
    ('title', 'data', 'columns', 'names'),
    [
        ('\nvoc_mini val, the heads', 'voc_mini val', COLUMNS, 14),
        ('\ncoco_small val, the same recipe', 'coco_small val', ('mAP', 'CF1', 'OF1'), 7),
    ],
)
def test_heads_with_the_backbone_trained(
    title: str, data: str, columns: Sequence[str], names: int
) -> None:
    rows = table(title, '| row | crops | whole images | seeds |')[1:]
    assert len(rows) == names
    for row, crops, size, seeds, *cells, _ in rows:
        at = f'{data}, {crops} px' + (f', tested at {size} px' if size != crops else '')
        found = select(TRAINED_RUNS, at, row.strip('`'))
        assert [run['seed'] for run in found] == seeds.split(', ')
        assert cells == spreads(found, columns), (at, row)


def test_f1_at_tuned_thresholds() -> None:
    found = read('tuned_f1.csv')
    rows = table('\n## F1 at tuned thresholds\n')[1:]
    data, first = '', found[0]
    for run, (name, row, *cells) in zip(found, rows, strict=True):
        data = name or data
        assert (data, row) == (run['data'], f'`{run["row"]}`')
        assert cells[:2] == [f'{float(run[key]):.1f}' for key in ('CF1', 'OF1')]
        if name:
            first = run
            assert cells[2:] == ['', '']
            continue
        for key, cell in zip(('CF1', 'OF1'), cells[2:], strict=True):
            less = float(run[f'ours_minus_{key}'])
            assert less == pytest.approx(float(first[key]) - float(run[key]), abs=0.011)
            low, high = (float(run[f'{key}_{end}']) for end in ('low', 'high'))
            assert cell == f'{less:+.1f} [{low:.1f}, {high:.1f}]'
