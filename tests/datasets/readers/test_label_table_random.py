"""Random label tables written in each dialect: read back as they are, or refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmmsf.datasets.readers.label_table import read_table
from mmmsf.datasets.readers.tables.options import TableOptions

# Names of several words have a word that is no name of its own.
WORDS = ['dog', 'cat', 'cow', 'bus', 'sea', 'A1', '2', 'no', 'é', 'class']
NAMES = [*WORDS, 'hot dog', 'sea lion', 'red bus', 'Edema, acute', "l'eau", 'a"b', '[x', 'age']
Truth = dict[str, set[str]]


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\n') else cell


def lines(rows: list[list[str]], delimiter: str = ',') -> str:
    return ''.join(delimiter.join(map(quoted, row)) + '\n' for row in rows)


def joined(mark: str, column: str = 'labels') -> Callable[[Truth], str]:
    def write(truth: Truth) -> str:
        return lines([['image', column], *([k, mark.join(sorted(x))] for k, x in truth.items())])

    return write


def listed(dump: Callable[[list[str]], str]) -> Callable[[Truth], str]:
    def write(truth: Truth) -> str:
        return lines([['file_name', 'tags'], *([k, dump(sorted(x))] for k, x in truth.items())])

    return write


def one_hot(truth: Truth) -> str:
    names = sorted(set().union(*truth.values()))
    rows = [[k, *(str(int(name in x)) for name in names)] for k, x in truth.items()]
    return lines([['filename', *names], *rows])


def long_form(truth: Truth) -> str:
    rows = [[k, name] for k, x in truth.items() for name in (sorted(x) or [''])]
    return lines([['path', 'label'], *rows], '\t')


def json_lines(truth: Truth) -> str:
    return ''.join(json.dumps(dict(image=k, labels=sorted(x))) + '\n' for k, x in truth.items())


def via(truth: Truth) -> str:
    def cell(labels: set[str]) -> str:
        return json.dumps(dict(kind=dict.fromkeys(sorted(labels), True)))

    rows = [[k, cell(x), '{}'] for k, x in truth.items()]
    return lines([['filename', 'file_attributes', 'region_attributes'], *rows])


def vectors(truth: Truth) -> str:
    names = sorted(set().union(*truth.values()))
    return ''.join(
        f'{k}\t{",".join(str(int(name in x)) for name in names)}\n' for k, x in truth.items()
    )


# Writer, names that the dialect can express, and whether a table may be refused
DIALECTS: dict[str, tuple[Callable[[Truth], str], list[str], bool]] = {
    'semicolons': (joined(';'), NAMES, True),
    'bars': (joined('|', 'Finding Labels'), NAMES, True),
    'commas': (joined(', '), [name for name in NAMES if ',' not in name], True),
    'blanks': (joined(' ', 'tags'), WORDS, True),
    'json': (listed(json.dumps), NAMES, False),
    'python': (listed(repr), NAMES, False),
    'json lines': (json_lines, NAMES, False),
    'via': (via, NAMES, False),
    'one-hot': (one_hot, NAMES, True),
    'long': (long_form, NAMES, True),
    'vectors': (vectors, [name for name in NAMES if not name.isdigit()], True),
}


def truths(names: list[str]) -> st.SearchStrategy[Truth]:
    labels = st.lists(st.sets(st.sampled_from(names), max_size=4), min_size=1, max_size=12)
    return labels.filter(any).map(lambda rows: {f'i{k}.jpg': x for k, x in enumerate(rows)})


@pytest.mark.parametrize('dialect', DIALECTS)
def test_read_back_or_refused(dialect: str, tmp_path: Path) -> None:
    write, names, may_stop = DIALECTS[dialect]
    path = tmp_path / ('t.jsonl' if dialect == 'json lines' else 't.csv')
    refused = []

    @settings(
        max_examples=60,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(truths(names))
    def check(truth: Truth) -> None:
        path.write_text(write(truth), encoding='utf-8')
        classes = sorted(set().union(*truth.values()))
        options: dict[str, Any] = dict(names=classes) if dialect == 'vectors' else {}
        try:
            table = read_table(str(path), TableOptions(**options))
        except ValueError as error:
            assert may_stop and str(path) in str(error), error
            assert any(f'{x}' in str(error) for x in ('separator', 'label_columns')), error
            refused.append(truth)
            return
        assert {row.path: set(row.labels) for row in table.rows} == truth
        assert sorted(table.classes) == classes

    check()
    assert len(refused) < 55  # some tables of every dialect are clear
