"""The tables of configs/labels/README.md are those of its files of all runs."""

import csv
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev

import pytest

FOLDER = Path(__file__).resolve().parents[2] / 'configs/labels'
README = (FOLDER / 'README.md').read_text(encoding='utf-8')


def rows_of(name: str, *keys: str) -> dict[tuple[str, ...], list[dict[str, str]]]:
    """Group the rows of a file by some of its columns."""
    groups = defaultdict(list)
    with open(FOLDER / name, encoding='utf-8', newline='') as file:
        for row in csv.DictReader(file):
            groups[tuple(row[key] for key in keys)].append(row)
    return dict(groups)


def cell(values: list[float], digits: int) -> str:
    text = f'{mean(values):.{digits}f}'
    return text if len(values) == 1 else f'{text} ± {stdev(values):.{digits}f}'


WRONG = rows_of('wrong_labels.csv', 'set', 'head', 'ranking')
CHOICE = rows_of('label_choice.csv', 'set', 'way')


@pytest.mark.parametrize('group', WRONG, ids=' '.join)
def test_wrong_labels(group: tuple[str, str, str]) -> None:
    data, head, ranking = group
    draws = ', '.join(row['draw'] for row in WRONG[group])
    (line,) = (
        x.replace('*', '')
        for x in README.splitlines()
        if x.startswith(f'| {data}, `{head}` | {draws} |') and f'| {ranking} |' in x
    )
    keys = ('first_5_percent', 'first_flips', 'average_precision')
    cells = [cell([float(row[key]) for row in WRONG[group]], 1) for key in keys]
    assert line.endswith(f'| {" | ".join(cells)} |')


@pytest.mark.parametrize('group', CHOICE, ids=' '.join)
def test_images_to_label_next(group: tuple[str, str]) -> None:
    columns = ['start', *(f'round_{k}' for k in range(1, 6))]
    runs = [[float(row[key]) for key in columns] for row in CHOICE[group]]
    others = [[float(row[key]) for key in columns] for row in CHOICE[group[0], 'random']]
    means, reference = ([mean(run[1:]) for run in some] for some in (runs, others))
    assert len(runs) == 10
    section = README.split(f'\n| {group[0]} | start |')[1].split('\n\n')[0].replace('*', '')
    (line,) = (x for x in section.splitlines() if x.startswith(f'| {group[1]} |'))
    cells = [f'{mean(values):.1f}' for values in zip(*runs, strict=True)]
    text = f'| {group[1]} | {" | ".join(cells)} | {cell(means, 2)} |'
    if group[1] == 'random':
        assert line == f'{text} |'
    else:
        gains = [one - other for one, other in zip(means, reference, strict=True)]
        assert line == f'{text} {mean(gains):+.2f} ± {stdev(gains):.2f} |'
