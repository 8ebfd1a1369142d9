"""VOC's XML files and image lists, damaged, hostile and fuzzed: each message names the file."""

import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import pytest

from mmmsf.datasets import VOC_CLASSES
from mmmsf.datasets.readers.image_sets import read_image_set
from mmmsf.datasets.readers.voc_xml import parse_xml
from mmmsf.registry import DATASETS
from tests.helpers.fuzzing import LENGTHS, attempt, damaged_text, fuzz
from tests.helpers.small_data import build_dataset

FAST = dict(serialize_data=False)  # which would collect garbage at each example


def test_valid_set_loads(root: Path) -> None:
    assert len(build_dataset('voc', root)) == 4


def one_object(inner: str) -> bytes:
    return f'<annotation><object>{inner}</object></annotation>'.encode()


def dog_in(*sides: object) -> bytes:
    names = ('xmin', 'ymin', 'xmax', 'ymax')
    box = ''.join(f'<{name}>{side}</{name}>' for name, side in zip(names, sides, strict=False))
    return one_object(f'<name>dog</name><bndbox>{box}</bndbox>')


XML = {
    'missing': (
        None,
        "no such annotation; .*val.txt lists val_000002, and 1 of its 4 .* missing_xml='negative'",
    ),
    'a folder': ('', 'this annotation cannot be read'),
    'empty': (b'', r'not well-formed XML \(no element found.*fetch the annotation again'),
    'cut short': (b'<annotation><object>', 'not well-formed XML'),
    'wrong end': (b'<annotation><object></annotation>', 'not well-formed XML'),
    'no xml': (b'{"a": 1}', 'not well-formed XML'),
    'html': (b'<html></html>', 'begins with <annotation>, got <html>'),
    'nested without end': (b'<annotation>' + b'<part>' * 50_000, 'not well-formed XML'),
    'unknown class': (
        one_object('<name>unicorn</name>'),
        r"of the classes \['unicorn'\], .* correct the file, or .*classes=",
    ),
    'object without name': (one_object(''), 'object 1 has no name; every'),
    'two names': (
        one_object('<name>dog</name><name>cat</name>'),
        'object 1: name must be there once, got 2',
    ),
    'difficult is yes': (
        one_object('<name>dog</name><difficult>yes</difficult>'),
        "object 1: difficult must be 0 or 1, got 'yes'",
    ),
    'difficult is 2': (one_object('<name>dog</name><difficult>2</difficult>'), "got '2'"),
    'box of text': (dog_in(1, 1, 'x', 2), "object 1: bndbox must be numbers .*'xmax': 'x'"),
    'box of three': (dog_in(1, 1, 2), "object 1: bndbox must be .*'ymax': None"),
    'box turned': (dog_in(9, 1, 8, 9), 'object 1: bndbox must be .*xmin <= xmax'),
    'box upside down': (dog_in(1, 9, 8, 8), 'object 1: bndbox must be'),
    'box without end': (dog_in(1, 1, 'inf', 8), 'object 1: bndbox must be'),
    'box of nan': (dog_in('nan', 1, 2, 2), "object 1: bndbox must be numbers .*'nan'"),
    'unknown encoding': (b'<?xml version="1.0" encoding="rot13"?><annotation/>', 'not well-formed'),
    'no encoding': (b'<?xml version="1.0" encoding="nonsense"?><annotation/>', 'not well-formed'),
}


@pytest.mark.parametrize('case', XML)
def test_annotations(root: Path, case: str) -> None:
    content, message = XML[case]
    path = root / 'Annotations/val_000002.xml'
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
    with pytest.raises((ValueError, OSError), match=message) as caught:
        build_dataset('voc', root)
    assert str(path) in str(caught.value)


def test_deep_but_well_formed(root: Path) -> None:
    path = root / 'Annotations/val_000001.xml'
    path.write_text('<annotation>' + '<part>' * 50_000 + '</part>' * 50_000 + '</annotation>')
    assert build_dataset('voc', root).get_data_info(1)['gt_label'] == []


def laughs() -> str:
    entities = '<!ENTITY a0 "ha">' + ''.join(
        f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10)
    )
    return (
        f'<!DOCTYPE annotation [{entities}]><annotation><object><name>&a9;</name></object>'
        '</annotation>'
    )


HOSTILE = {
    'billion laughs': laughs(),
    'quadratic': f'<!DOCTYPE a [<!ENTITY x "{"ha" * 50_000}">]>'
    f'<annotation>{"&x;" * 50_000}</annotation>',
    'external file': '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation><object>'
    '<name>&x;</name></object></annotation>',
    'external address': '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]>'
    '<annotation/>',
    'external type': '<!DOCTYPE annotation SYSTEM "http://127.0.0.1:9/x.dtd"><annotation/>',
}


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-16'])
@pytest.mark.parametrize('case', HOSTILE)
def test_document_types_are_refused(root: Path, case: str, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>{HOSTILE[case]}'
    (root / 'Annotations/val_000001.xml').write_bytes(text.encode(encoding))
    with pytest.raises(ValueError, match=r'val_000001\.xml: refused, .* document type .* remove'):
        build_dataset('voc', root)


def test_external_entity_is_not_read(tmp_path: Path) -> None:
    (tmp_path / 'secret').write_text('secret')
    text = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{tmp_path}/secret">]><annotation>&x;</annotation>'
    with pytest.raises(ValueError, match='mine: refused') as caught:
        parse_xml(text.encode(), 'mine')
    assert 'secret' not in str(caught.value)


@pytest.mark.parametrize('tag', ['', '<difficult/>', '<difficult> </difficult>'])
def test_image_without_objects_or_difficult_tag(root: Path, tag: str) -> None:
    (root / 'Annotations/val_000002.xml').write_text('<annotation/>')
    (root / 'Annotations/val_000003.xml').write_text(
        f'<annotation><object><name>dog</name>{tag}</object></annotation>'
    )
    data = build_dataset('voc', root)
    assert data.get_data_info(2)['gt_label'] == []
    assert data.get_data_info(3)['gt_label'] == [11]


@pytest.mark.parametrize(
    'box', [dog_in(1, 1, 'x', 2), dog_in(9, 1, 8, 9), dog_in('nan', 1, 2, 2), dog_in()]
)
def test_boxes_are_not_read_without_sizes(root: Path, box: bytes) -> None:
    (root / 'Annotations/val_000002.xml').write_bytes(box)
    with pytest.raises(ValueError, match=r'val_000002\.xml: object 1: bndbox .* sizes=False'):
        build_dataset('voc', root)
    info = build_dataset('voc', root, sizes=False).get_data_info(2)
    assert info['gt_label'] == [11]
    assert all(math.isnan(area) for area in info['gt_area'])


def test_image_without_xml_is_a_negative_on_request(root: Path) -> None:
    (root / 'Annotations/val_000001.xml').unlink()
    data = build_dataset('voc', root, missing_xml='negative')
    assert (data.get_data_info(1)['gt_score'] == 0).all()
    assert data.get_data_info(0)['gt_label'] == [0, 1]
    for path in (root / 'Annotations').iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r'4 of its 4 images have none; .*labelled=False'):
        build_dataset('voc', root, missing_xml='negative')


def list_ids(lines: str, images: str, folder: Path) -> list[str]:
    (folder / 'set.txt').write_text(lines)
    names = {Path(name).stem: name for name in images.split(',')}
    return read_image_set(str(folder / 'set.txt'), names)


@pytest.mark.parametrize(
    ('lines', 'images', 'ids'),
    [
        ('cat 1\ndog\n', 'cat 1.jpg,dog.jpg', ['cat 1', 'dog']),
        ('my cat  -1\n', 'my cat.jpg', ['my cat']),
        ('cat 1\n', 'cat.jpg,dog.jpg', ['cat']),  # a label, as in the lists of single classes
        ('cat.jpg\nmy dog.PNG 0\n', 'cat.jpg,my dog.PNG', ['cat', 'my dog']),
        ('cat 1 1\n', 'cat 1.jpg', ['cat 1']),
        ('2008.jpg\n', '2008.jpg.jpg', ['2008.jpg']),
    ],
)
def test_ids_with_blanks_and_suffixes(
    tmp_path: Path, lines: str, images: str, ids: list[str]
) -> None:
    assert list_ids(lines, images, tmp_path) == ids


@pytest.mark.parametrize(
    ('line', 'images'), [('cat 1', 'cat.jpg,cat 1.jpg'), ('cat.jpg', 'cat.jpg,cat.jpg.jpg')]
)
def test_line_that_fits_two_images(tmp_path: Path, line: str, images: str) -> None:
    with pytest.raises(ValueError, match=rf"set\.txt: line 1: '{line}' may be .* rename one"):
        list_ids(line, images, tmp_path)


@pytest.mark.parametrize('suffix', ['bmp', 'WEBP', 'tif'])
def test_other_image_formats(root: Path, suffix: str) -> None:
    path = root / 'JPEGImages/val_000001.jpg'
    image = cv2.imread(str(path))
    path.unlink()
    cv2.imwrite(str(path.with_suffix(f'.{suffix}')), image)
    assert build_dataset('voc', root)[1]['img'].shape == image.shape


LISTS = {
    'missing': (None, 'no such image set; check data_root'),
    'twice': (b'a\nb\na\n', 'the id a is in line 1 and again in line 3'),
    'a folder': (b'a\nsub/b\n', "line 2 must be the bare id .* got 'sub/b'"),
    'two columns': (b'a b', "line 1 must be an image id and at most one .* got 'a b'"),
    'three columns': (b'a 1 1', 'line 1 must be an image id'),
    'no text': (b'a\n\xff\xd8', 'line 2 is not UTF-8 .*save the image set'),
}


@pytest.mark.parametrize('case', LISTS)
def test_lists(tmp_path: Path, case: str) -> None:
    content, message = LISTS[case]
    path = tmp_path / 'set.txt'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=rf'set\.txt: {message}'):
        read_image_set(str(path))


OPTIONS = [
    (dict(split='test'), r'test\.txt: no such image set; check data_root'),
    (dict(data_root='nowhere'), r'nowhere.*: no such image folder; check'),
    (dict(difficult='skip'), "difficult must be one of .* got 'skip'"),
    (dict(split='../train'), r"split must be the name of a list .* got '\.\./train'"),
    (dict(split='a\\b'), 'split must be the name'),
    (dict(missing_xml='skip'), "missing_xml must be one of .* got 'skip'"),
    (dict(split=''), "split must be the name of a list .* got ''"),
]


@pytest.mark.parametrize(('options', 'message'), OPTIONS)
def test_options(root: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, OSError), match=message):
        build_dataset('voc', root, **options)


SMALL = (
    '<annotation><filename>x</filename><object><name>dog</name><difficult>0</difficult><bndbox>'
    '<xmin>1</xmin><ymin>1</ymin><xmax>20</xmax><ymax>20</ymax></bndbox></object><object>'
    '<name>cat</name><difficult>1</difficult></object><object><name>bird</name><part><name>head'
    '</name></part></object></annotation>'
)
WORDS = [
    '<object>',
    '</object>',
    '<name>',
    '</name>',
    'cat',
    'horse',
    '<difficult>',
    '1',
    '0',
    '&amp;',
    '&x;',
    '<!-- -->',
    '<!DOCTYPE a>',
    '<![CDATA[cat]]>',
    '\0',
    'nan',
    '-1',
    '<?xml version="1.0" encoding="latin-1"?>',
    '<?x?>',
    '<annotation/>',
    ' ',
    '1e400',
]


def check_voc(folder: Path, content: bytes, load: Any = attempt) -> None:
    path = folder / 'Annotations/a.xml'
    path.write_bytes(content)
    data = load(
        path,
        lambda: DATASETS.build(
            dict(type='mmmsf.VocMultiLabel', data_root=str(folder), split='one', **FAST)
        ),
    )
    if data is None:
        return
    objects = ElementTree.fromstring(content).findall('object')
    named = [
        (
            VOC_CLASSES.index(one.findtext('name').strip()),
            one.findtext('difficult', '0').strip() == '1',
        )
        for one in objects
    ]
    positive = {k for k, difficult in named if not difficult}
    info = data.get_data_info(0)
    assert info['gt_label'] == sorted(positive)
    assert info.get('gt_ignore', []) == sorted({k for k, _ in named} - positive)


def check_image_set(folder: Path, content: bytes, load: Any = attempt) -> None:
    path = folder / 'ImageSets/Main/val.txt'
    path.write_bytes(content)
    data = load(
        path,
        lambda: DATASETS.build(
            dict(
                type='mmmsf.VocMultiLabel',
                data_root=str(folder),
                split='val',
                labelled=False,
                **FAST,
            )
        ),
    )
    if data is not None:
        lines = content.decode('utf-8-sig').splitlines()
        wanted = [line.split()[0] for line in lines if line.strip()]
        assert [Path(data.get_data_info(i)['img_path']).stem for i in range(len(data))] == wanted


LIST = 'a\nb -1\nc 1\n'
LIST_WORDS = ['a', '1', '-1', '../', '\n', '/', '\x0c', ' ', '\0']


@pytest.mark.parametrize('long', LENGTHS)
def test_fuzz_annotation(fuzz_folder: Path, long: bool) -> None:
    fuzz(check_voc, fuzz_folder, damaged_text(SMALL, WORDS), long)


@pytest.mark.parametrize('long', LENGTHS)
def test_fuzz_list(fuzz_folder: Path, long: bool) -> None:
    fuzz(check_image_set, fuzz_folder, damaged_text(LIST, LIST_WORDS), long)


def test_fuzzed_files_are_valid_before(fuzz_folder: Path) -> None:
    check_voc(fuzz_folder, SMALL.encode(), load=lambda _, build: build())
    check_image_set(fuzz_folder, LIST.encode(), load=lambda _, build: build())
