"""Tables of paths and labels, and class lists, damaged, hostile and fuzzed."""

import csv
import io
import os
import re
from pathlib import Path
from typing import Any

import pytest

from mmmsf.datasets.readers.label_table import read_table
from mmmsf.datasets.readers.tables.options import TableOptions
from mmmsf.registry import DATASETS
from tests.helpers.fuzzing import LENGTHS, attempt, damaged_text, fuzz
from tests.helpers.small_data import build_dataset

FAST = dict(serialize_data=False)  # which would collect garbage at each example


def test_valid_set_loads(root: Path) -> None:
    assert len(build_dataset('csv', root)) == 4


TABLES = {
    'missing': (None, 'no such table; check data_root'),
    'empty': (b'', r'line 1 must name the columns .* got \[\]'),
    'no header': (b'a.jpg,dog\nb.jpg,cat\n', r'line 1 must name the columns'),
    'a column is missing': (b'path,by,note\na.jpg,me,x\n', r"got \['path', 'by', 'note'\]"),
    'semicolons': (b'path;labels\na.jpg;dog\n', 'line 1 must name the columns'),
    'latin-1': (
        'path,labels\na.jpg,Stra\xdfe\n'.encode('latin-1'),
        'line 2 is not UTF-8 text .* save the table as UTF-8',
    ),
    'utf-16': ('path,labels\na.jpg,dog\n'.encode('utf-16'), 'line 1 is not UTF-8 text'),
    'a row twice': (
        b'path,labels\na.jpg,dog\n./a.jpg,cat\n',
        r"line 3: the path './a.jpg' is already in line 2; keep one row",
    ),
    'too many cells': (b'path,labels\na.jpg,dog,cat\n', 'line 2 has 3 cells .* double quotes'),
    'open quote': (b'path,labels\na.jpg,"dog\n', r'line 2 is not a valid row'),
    'no label': (b'path,labels\na.jpg,\n', 'there is no label in it, so there is no class'),
    'a column twice': (b'path,labels,path\na,b,c', 'line 1 must name the columns .* once each'),
    'a blank path': (b'path,labels\na.jpg,dog\n ,cat', 'line 3: the path is empty'),
    'too few cells': (
        b'path,labels\na.jpg,dog\nb.jpg',
        'line 3 has 1 cells where the header has 2',
    ),
    'an empty label': (b'path,labels\na.jpg,dog;;cat', "line 2: a label is empty, got 'dog;;cat'"),
    'a separator too many': (b'path,labels\na.jpg,dog;', 'line 2: a label is empty'),
    'no row': (b'path,labels\n', 'there is no label in it'),
}


@pytest.mark.parametrize('case', TABLES)
def test_tables(tmp_path: Path, case: str) -> None:
    content, message = TABLES[case]
    if content is not None:
        (tmp_path / 't.csv').write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=rf't\.csv: .*{message}') as caught:
        build_dataset('csv', tmp_path)
    assert str(tmp_path / 't.csv') in str(caught.value)


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    'a folder': (dict(ann_file='val2014'), 'val2014: this table cannot be read'),
    'class twice': (dict(classes=['a', 'b', 'a']), r"more than once: \['a'\]"),
    'no class': (dict(classes=[]), 'must name at least one class'),
    'class unknown': (dict(classes=['z']), r"t\.csv: none of the configured classes \['z'\]"),
    'class file missing': (dict(classes='none.txt'), r'none\.txt: no such class list'),
    'class file no text': (dict(classes='latin.txt'), r'latin\.txt: line 2 is not UTF-8'),
    'class file empty': (dict(classes='empty.txt'), r'empty\.txt: names no class'),
    'class without name': (dict(classes=['a', 'b', '']), 'classes of a table must not be empty'),
    'class with separator': (dict(classes=['a', 'b', 'c;d']), 'classes of a table must not'),
    'class with other separator': (dict(classes=['a', 'b', 'c|d']), 'classes of a table must not'),
    'class with a blank': (dict(classes=['a', 'b', ' c']), 'classes of a table must not'),
}


@pytest.mark.parametrize('case', OPTIONS)
def test_options(root: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options, message = OPTIONS[case]
    monkeypatch.chdir(root)
    (root / 'latin.txt').write_bytes('a\nstra\xdfe\n'.encode('latin-1'))
    (root / 'empty.txt').touch()
    with pytest.raises((ValueError, OSError), match=message):
        build_dataset('csv', root, **options)


def test_header_alone(tmp_path: Path) -> None:
    (tmp_path / 't.csv').write_text('path,labels\n')
    with pytest.raises(ValueError, match=r't\.csv: no image is left of 0'):
        build_dataset('csv', tmp_path, classes=['dog'])


def test_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    (tmp_path / 't.csv').write_bytes(b'\xef\xbb\xbfpath,labels\r\na.jpg,dog\r\n')
    assert build_dataset('csv', tmp_path).metainfo['classes'] == ('dog',)


SMALL = 'path,labels,note\na.jpg,dog;cat,x\n"b,1.jpg", dog ,\ns/c.jpg,,"two\nlines"\n'
WORDS = [
    '"',
    ',',
    ';',
    '|',
    '\t',
    '\n',
    '\r',
    '../',
    '/',
    'dog',
    'a.jpg',
    './',
    ' ',
    '\0',
    'path',
    'labels',
    '""',
    '\ufeff',
    '\u2028',
]


def check_table(folder: Path, content: bytes, load: Any = attempt) -> None:
    path, images = folder / 't.csv', str(folder / 'absent')  # where nothing can be looked for
    path.write_bytes(content)
    data = load(
        path,
        lambda: DATASETS.build(
            dict(type='mmmsf.CsvMultiLabel', ann_file=str(path), data_prefix=images, **FAST)
        ),
    )
    if data is None:
        return
    text = content.decode('utf-8-sig')
    first = io.StringIO(text, newline='').readline()
    rows = [
        row
        for row in csv.reader(
            io.StringIO(text, newline=''), strict=True, delimiter='\t' if '\t' in first else ','
        )
        if row
    ]
    header = [cell.strip() for cell in rows[0]]
    if 'path' not in header or 'labels' not in header:
        return  # columns recognised by their cells: tests/datasets/readers/test_label_table.py
    place, column = header.index('path'), header.index('labels')
    sets = [
        {label.strip() for label in re.split('[;|]', row[column]) if label.strip()}
        for row in rows[1:]
    ]
    classes = sorted(set().union(*sets))
    assert list(data.metainfo['classes']) == classes
    # An image may be there again only with the same labels, and counts once
    expected: dict[str, tuple[str, set[str]]] = {}
    for row, labels in zip(rows[1:], sets, strict=True):
        path_and_labels = expected.setdefault(
            os.path.normpath(row[place].strip()), (row[place].strip(), labels)
        )
        assert path_and_labels[1] == labels
    assert len(data) == len(expected)
    for i, (name, labels) in enumerate(expected.values()):
        info = data.get_data_info(i)
        assert {classes[k] for k in info['gt_label']} == labels
        assert info['img_path'] == os.path.join(images, name)


@pytest.mark.parametrize('long', LENGTHS)
def test_fuzz(fuzz_folder: Path, long: bool) -> None:
    fuzz(check_table, fuzz_folder, damaged_text(SMALL, WORDS), long)


def test_fuzzed_file_is_valid_before(fuzz_folder: Path) -> None:
    check_table(fuzz_folder, SMALL.encode(), load=lambda _, build: build())


DIALECTS = {
    'one-hot': ('t.csv', 'image,dog,cat\na.jpg,1,0\n"b,1.jpg",-1,\nc.jpg,0,1.0\n'),
    'pairs': ('t.csv', 'ImageID,LabelName,Confidence\na,dog,1\na,cat,0\nb,cat,0.5\n'),
    'lists': ('t.csv', "file_name,tags\na.jpg,\"['dog', 'cat']\"\nb.jpg,[]\nc.jpg,[1]\n"),
    'blanks': ('t.csv', 'image_name,tags\na,dog\nb,dog cat\nc,cat\n'),
    'indices': ('t.csv', 'a.jpg\t0,1\nb.jpg\t1\nc.jpg\t0\n'),
    'via': ('t.csv', 'filename,file_attributes\na.jpg,"{""k"": {""dog"": true}}"\nb.jpg,{}\n'),
    'json lines': ('t.jsonl', '{"image": "a.jpg", "labels": ["dog"]}\n{"image": "b.jpg"}\n'),
}
MARKS = [
    *WORDS,
    '[',
    ']',
    '{',
    '}',
    "'",
    ':',
    '-1',
    '0',
    '1',
    '\\u',
    '\\ud800',
    'null',
    '[[[[',
    'e9',
]


@pytest.mark.parametrize('long', LENGTHS)
@pytest.mark.parametrize('dialect', DIALECTS)
def test_fuzz_dialects(fuzz_folder: Path, dialect: str, long: bool) -> None:
    """Errors are ours and name the file, or there is an item per image with valid labels."""
    name, content = DIALECTS[dialect]
    options = dict(names=['dog', 'cat']) if dialect == 'indices' else {}

    def check(folder: Path, damaged: bytes) -> None:
        path = folder / name
        path.write_bytes(damaged)
        table = attempt(path, lambda: read_table(str(path), TableOptions(**options)))
        if table is None:
            return
        paths = [row.path for row in table.rows]
        assert len(set(paths)) == len(paths) and all(paths)
        for row in table.rows:
            named = [*row.labels, *row.unknown]
            assert set(named) <= set(table.classes) and len(set(named)) == len(named)
            assert all(label == label.strip() != '' for label in named)

    check(fuzz_folder, content.encode())
    fuzz(check, fuzz_folder, damaged_text(content, MARKS), long)
