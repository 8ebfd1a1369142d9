"""Bad annotations of all kinds, through the registry, as a config names the datasets.

Each message must say what is wrong, in which file, and what to do. The rules of a format by
themselves are tested in test_datasets.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmmsf.registry import DATASETS
from tests.helpers.small_data import make_coco, make_voc

CLASSES = tuple('abcde')
COCO = 'annotations/instances_val2014.json'


def build(kind: str, root: Path, **options: Any) -> Any:
    common: dict[str, Any] = dict(data_root=str(root), pipeline=[dict(type='mmmsf.LoadImage')])
    options = {
        **dict(
            coco=dict(type='mmmsf.CocoMultiLabel', ann_file=COCO, data_prefix='val2014'),
            voc=dict(type='mmmsf.VocMultiLabel', split='val'),
            csv=dict(type='mmmsf.CsvMultiLabel', ann_file='t.csv', data_prefix='val2014'),
        )[kind],
        **common,
        **options,
    }
    return DATASETS.build(options)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three sound sets: COCO's layout, VOC's, and a table."""
    make_coco(tmp_path, 'val', CLASSES)
    make_voc(tmp_path, 'val')
    names = [f'COCO_val2014_{i:012d}.jpg' for i in range(4)]
    (tmp_path / 't.csv').write_text('path,labels\n' + ''.join(f'{name},a;b\n' for name in names))
    return tmp_path


def test_sound_sets_load(root: Path) -> None:
    for kind in ('coco', 'voc', 'csv'):
        assert len(build(kind, root)) == 4


Edit = Callable[[dict[str, Any]], object]


def _set(section: str, number: int, **fields: Any) -> Edit:
    return lambda content: content[section][number].update(fields)


FILES: dict[str, tuple[bytes | None, str]] = {
    'missing': (None, r'no such annotation file; check data_root and ann_file'),
    'empty': (b'', r'the annotation file is empty; fetch it again'),
    'blank': (b' \n\t', r'the annotation file is empty; fetch it again'),
    'no json': (b'<html>404</html>', r'not JSON \(Expecting value.*\); fetch'),
    'cut short': (b'{"images": [{"id": 1', r'not JSON \(.*\); fetch the annotation file again'),
    'picture': (b'\x89PNG\r\n\x1a\n\xff\x00', r'not JSON \(.*\); fetch'),
    'a number': (b'3', r"is a JSON object with \['images', .* got a int"),
    'a list': (b'[]', r'is a JSON object with .* got a list'),
    'null': (b'null', r'is a JSON object with .* got a NoneType'),
    'digits without end': (b'{"images": ' + b'9' * 5000 + b'}', r'not JSON \(Exceeds the limit'),
}


@pytest.mark.parametrize('case', FILES)
def test_coco_files(root: Path, case: str) -> None:
    content, message = FILES[case]
    (root / COCO).unlink()
    if content is not None:
        (root / COCO).write_bytes(content)
    with pytest.raises(
        (ValueError, FileNotFoundError),
        match=rf'instances_val2014\.json: {message}' if not message.startswith('is a') else message,
    ) as caught:
        build('coco', root)
    assert str(root / COCO) in str(caught.value)


EDITS: dict[str, tuple[Edit, str]] = {
    'no images': (lambda c: c.pop('images'), r'section "images" is missing .* instances file'),
    'no annotations': (lambda c: c.pop('annotations'), 'section "annotations" is missing'),
    'no categories': (lambda c: c.pop('categories'), 'section "categories" is missing'),
    'images are a dict': (lambda c: c.update(images={}), 'section "images" is missing or not a'),
    'an image is a name': (
        lambda c: c['images'].append('x.jpg'),
        'entry 4 of "images" must be an object, got \'x.jpg\'',
    ),
    'no category at all': (lambda c: c.update(categories=[]), 'so there is no class'),
    'unknown image': (
        _set('annotations', 3, image_id=77),
        'annotation 4: image 77 is not listed .* add it there or remove',
    ),
    'unknown category': (
        _set('annotations', 3, category_id=77),
        'annotation 4: category 77 is not listed .* add it there or remove',
    ),
    'image id as text': (
        _set('annotations', 3, image_id='1'),
        'annotation 4: image 1 is not listed',
    ),
    'image twice': (_set('images', 2, id=1), 'image id 1 is listed twice; keep one'),
    'file twice': (
        _set('images', 2, file_name='COCO_val2014_000000000001.jpg'),
        'images 1 and 2 have the same file_name .* merge them',
    ),
    'file twice by another spelling': (
        _set('images', 2, file_name='.//COCO_val2014_000000000001.jpg'),
        'images 1 and 2 have the same file_name .* merge them',
    ),
    'category twice': (_set('categories', 1, id=1), r'category ids must be distinct.*\[1\]'),
    'id is true': (_set('images', 2, id=True), r'image entry 2 must have a sound "id", got True'),
    'id is a fraction': (_set('images', 2, id=2.5), r'must have a sound "id", got 2\.5'),
    'category name is a number': (_set('categories', 1, name=3), 'must have a sound "name", got 3'),
    'area is nan': (_set('annotations', 3, area=math.nan), 'annotation 4: area must be .* got nan'),
    'area below 0': (_set('annotations', 3, area=-5), 'area must be .* got -5; correct or remove'),
    'area beyond numbers': (_set('annotations', 3, area=10**400), 'annotation 4: area must be'),
    'area is true': (_set('annotations', 3, area=True), 'area must be .* got True'),
    'box is nan': (_set('annotations', 3, bbox=[0, 0, math.nan, 1]), 'bbox must be .* got .*nan'),
    'box of three': (_set('annotations', 3, bbox=[0, 0, 1]), 'bbox must be .* correct or remove'),
    'box of corners': (_set('annotations', 3, bbox=[9, 9, -3, -3]), 'bbox must be .* width >= 0'),
    'box as large as nothing': (_set('annotations', 3, bbox=[0, 0, 1e300, 1e300]), 'bbox must be'),
    'box is a dict': (_set('annotations', 3, bbox={'0': 1}), 'bbox must be'),
    'crowd is text': (_set('annotations', 3, iscrowd='0'), "iscrowd must be 0 or 1, got '0'"),
    'crowd is a list': (_set('annotations', 3, iscrowd=[]), 'iscrowd must be 0 or 1'),
    'no image left': (lambda c: c.update(images=[], annotations=[]), 'no image is left of 0'),
}


@pytest.mark.parametrize('case', EDITS)
def test_coco_content(root: Path, case: str) -> None:
    edit, message = EDITS[case]
    content = json.loads((root / COCO).read_text())
    edit(content)
    (root / COCO).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message) as caught:
        build('coco', root)
    assert str(root / COCO) in str(caught.value)


OPTIONS: dict[str, tuple[str, dict[str, Any], str]] = {
    'other classes': (
        'coco',
        dict(metainfo=dict(classes=['a', 'x'])),
        r"instances_val2014\.json: .*missing from the file: \['x'\].*\['b', 'c'",
    ),
    'no file named': ('coco', dict(ann_file=''), 'annotation file must be named, got an empty'),
    'a folder': ('coco', dict(ann_file='val2014'), 'val2014: this annotation file cannot be read'),
    'a folder as table': ('csv', dict(ann_file='val2014'), 'val2014: this table cannot be read'),
    'wrong filter': (
        'coco',
        dict(filter_cfg=dict(filter_emtpy=True)),
        r"filter_cfg may hold .*\['filter_empty'\], got also \['filter_emtpy'\]",
    ),
    'nothing selected': ('coco', dict(indices=0), 'indices must select at least one image'),
    'no such split': ('voc', dict(split='test'), r'test\.txt: no such image set; check data_root'),
    'unknown policy': ('voc', dict(difficult='skip'), "difficult must be one of .* got 'skip'"),
    'no such root': ('voc', dict(data_root='nowhere'), r'nowhere.*: no such image set; check'),
    'class twice': ('csv', dict(classes=['a', 'b', 'a']), r"more than once: \['a'\]"),
    'no class': ('csv', dict(classes=[]), 'must name at least one class'),
    'class unknown to the table': (
        'csv',
        dict(classes=['a']),
        r"t\.csv: line 2: the labels \['b'\] are not among",
    ),
    'class file missing': ('csv', dict(classes='none.txt'), r'none\.txt: no such class list'),
    'class file no text': ('csv', dict(classes='latin.txt'), r'latin\.txt: line 2 is not UTF-8'),
    'class file empty': ('csv', dict(classes='empty.txt'), r'empty\.txt: names no class'),
}


@pytest.mark.parametrize('case', OPTIONS)
def test_options(root: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, options, message = OPTIONS[case]
    monkeypatch.chdir(root)
    (root / 'latin.txt').write_bytes('a\nstra\xdfe\n'.encode('latin-1'))
    (root / 'empty.txt').touch()
    with pytest.raises((ValueError, OSError), match=message):
        build(kind, root, **options)


def test_every_image_is_filtered_out(root: Path) -> None:
    content = json.loads((root / COCO).read_text())
    (root / COCO).write_text(json.dumps(dict(content, annotations=[])))
    with pytest.raises(ValueError, match=r'json: no image is left of 4 with .*filter_empty'):
        build('coco', root, filter_cfg=dict(filter_empty=True))


XML = {
    'missing': (None, 'no such annotation; .*val.txt lists val_000002; .* labelled=False'),
    'a folder': ('', 'this annotation cannot be read'),
    'empty': (b'', r'not well-formed XML \(no element found.*fetch the annotation again'),
    'cut short': (b'<annotation><object>', 'not well-formed XML'),
    'no xml': (b'{"a": 1}', 'not well-formed XML'),
    'html': (b'<html></html>', 'begins with <annotation>, got <html>'),
    'unknown class': (
        b'<annotation><object><name>unicorn</name></object></annotation>',
        r"of the classes \['unicorn'\], .* correct the file or set metainfo",
    ),
    'object without name': (b'<annotation><object/></annotation>', 'object 1 has no name; every'),
    'two names': (
        b'<annotation><object><name>dog</name><name>cat</name></object></annotation>',
        'object 1: name must be there once, got 2',
    ),
    'difficult is yes': (
        b'<annotation><object><name>dog</name><difficult>yes</difficult></object></annotation>',
        "difficult must be 0 or 1, got 'yes'",
    ),
    'box of nan': (
        b'<annotation><object><name>dog</name><bndbox><xmin>nan</xmin><ymin>1</ymin>'
        b'<xmax>2</xmax><ymax>2</ymax></bndbox></object></annotation>',
        "object 1: bndbox must be numbers .*'nan'",
    ),
    'unknown encoding': (b'<?xml version="1.0" encoding="rot13"?><annotation/>', 'not well-formed'),
}


@pytest.mark.parametrize('case', XML)
def test_voc_annotations(root: Path, case: str) -> None:
    content, message = XML[case]
    path = root / 'Annotations/val_000002.xml'
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
    with pytest.raises((ValueError, OSError), match=message) as caught:
        build('voc', root)
    assert str(path) in str(caught.value)


def test_voc_image_without_objects_or_difficult_tag(root: Path) -> None:
    (root / 'Annotations/val_000002.xml').write_text('<annotation/>')
    (root / 'Annotations/val_000003.xml').write_text(
        '<annotation><object><name>dog</name></object></annotation>'
    )
    data = build('voc', root)
    assert data.get_data_info(2)['gt_label'] == []
    assert data.get_data_info(3)['gt_label'] == [11]


def test_voc_image_missing(root: Path) -> None:
    (root / 'JPEGImages/val_000002.jpg').unlink()
    with pytest.raises(
        FileNotFoundError,
        match=r'val\.txt: 1 of 4 ids have no image in .*'
        "JPEGImages, the first is 'val_000002'",
    ):
        build('voc', root)


TABLES = {
    'missing': (None, 'no such table; check data_root'),
    'empty': (b'', r'line 1 must name the columns .* got \[\]'),
    'no header': (b'a.jpg,dog\nb.jpg,cat\n', r'line 1 must name the columns'),
    'a column is missing': (b'path,tags\na.jpg,dog\n', r"got \['path', 'tags'\]"),
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
    'open quote': (b'path,labels\na.jpg,"dog\n', r'is not a sound row'),
    'no label': (b'path,labels\na.jpg,\n', 'there is no label in it, so there is no class'),
}


@pytest.mark.parametrize('case', TABLES)
def test_tables(root: Path, case: str) -> None:
    content, message = TABLES[case]
    (root / 't.csv').unlink()
    if content is not None:
        (root / 't.csv').write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=rf't\.csv: .*{message}') as caught:
        build('csv', root)
    assert str(root / 't.csv') in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_the_text(root: Path) -> None:
    (root / 't.csv').write_bytes(b'\xef\xbb\xbfpath,labels\r\na.jpg,dog\r\n')
    (root / COCO).write_bytes(b'\xef\xbb\xbf' + (root / COCO).read_bytes())
    assert build('csv', root).metainfo['classes'] == ('dog',)
    assert len(build('coco', root)) == 4
