"""Random damage to small sound files: our own error that names the file, or the right labels.

The quick tests run the same examples every time. The long ones draw new ones::

    FUZZ_EXAMPLES=20000 pytest tests/robustness/test_fuzz.py -m slow
"""

import copy
import csv
import io
import json
import math
import os
import re
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import mmmsf
from mmmsf.datasets import VOC_CLASSES
from mmmsf.registry import DATASETS, TRANSFORMS

FAST = dict(serialize_data=False)  # which would collect garbage at each example
PACKAGE = str(Path(mmmsf.__file__).parent)
QUICK = settings(
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(
    max_examples=int(os.environ.get('FUZZ_EXAMPLES', 2000)),
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def attempt(path: Path, load: Callable[[], Any]) -> Any:
    """What ``load`` gives, or None after an error of ours; any other error fails the test."""
    try:
        return load()
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1].filename
        assert type(error).__name__ in (
            'ValueError',
            'FileNotFoundError',
            'OSError',
            'ImageReadError',
        ), repr(error)
        assert last.startswith(PACKAGE), f'{error!r} comes from {last}'
        assert str(path) in str(error), repr(error)
        return None


# Damage


def damaged_bytes(content: bytes) -> st.SearchStrategy[bytes]:
    """A few bytes changed, taken out or put in, a part doubled, the end cut off."""
    place = st.integers(0, len(content))
    edit = st.one_of(
        st.tuples(st.just('set'), place, st.binary(min_size=1, max_size=4)),
        st.tuples(st.just('insert'), place, st.binary(min_size=1, max_size=8)),
        st.tuples(st.just('flip'), place, st.integers(0, 7)),
        st.tuples(st.just('delete'), place, st.integers(1, 40)),
        st.tuples(st.just('repeat'), place, st.integers(1, 40)),
        st.tuples(st.just('cut'), place, st.just(0)),
    )

    def apply(edits: list[tuple[str, int, Any]]) -> bytes:
        data = bytearray(content)
        for what, at, value in edits:
            at = min(at, len(data))
            if what == 'set':
                data[at : at + len(value)] = value
            elif what == 'insert':
                data[at:at] = value
            elif what == 'flip' and at < len(data):
                data[at] ^= 1 << value
            elif what == 'delete':
                del data[at : at + value]
            elif what == 'repeat':
                data[at:at] = data[at : at + value]
            elif what == 'cut':
                del data[at:]
        return bytes(data)

    return st.lists(edit, min_size=1, max_size=4).map(apply)


def damaged_text(text: str, words: list[str]) -> st.SearchStrategy[bytes]:
    """Words of the format in wrong places, besides damaged bytes."""
    places = [match.start() for match in re.finditer(r'\b|\W', text)]
    edit = st.tuples(
        st.sampled_from(places), st.integers(0, 12), st.sampled_from(words) | st.text(max_size=3)
    )

    def apply(edits: list[tuple[int, int, str]]) -> bytes:
        result = text
        for at, length, word in edits:
            result = result[:at] + word + result[at + length :]
        return result.encode('utf-8', 'surrogatepass')

    return st.lists(edit, min_size=1, max_size=3).map(apply) | damaged_bytes(text.encode())


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 12)
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(['a.jpg', '../a.jpg', './b.jpg', 'dog', '1', 10**400]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def paths_of(value: Any, path: tuple = ()) -> list[tuple]:
    found = [path]
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in items:
        found += paths_of(item, (*path, key))
    return found


def damaged_json(content: Any) -> st.SearchStrategy[bytes]:
    """Values replaced by others of any kind, taken out, or put in twice."""
    edit = st.tuples(
        st.sampled_from(paths_of(content)[1:]),
        st.sampled_from(['set', 'set', 'delete', 'repeat', 'move']),
        JSON,
    )

    def apply(edits: list[tuple[tuple, str, Any]]) -> bytes:
        result = copy.deepcopy(content)
        for path, what, value in edits:
            owner = result
            try:
                for key in path[:-1]:
                    owner = owner[key]
                if what == 'set':
                    owner[path[-1]] = value
                elif what == 'delete':
                    del owner[path[-1]]
                elif what == 'repeat' and isinstance(owner, list):
                    owner.append(copy.deepcopy(owner[path[-1]]))
                elif what == 'move' and isinstance(owner, list):
                    owner.insert(0, owner.pop())
            except (KeyError, IndexError, TypeError):  # an earlier edit took it away
                pass
        return json.dumps(result).encode()

    return st.lists(edit, min_size=1, max_size=3).map(apply)


# COCO

COCO = dict(
    images=[dict(id=7, file_name='b.jpg', width=9, height=9), dict(id=2, file_name='s/a.jpg')],
    categories=[dict(id=3, name='dog'), dict(id=1, name='cat')],
    annotations=[
        dict(id=1, image_id=2, category_id=3, bbox=[0, 0, 2, 3], area=5, iscrowd=0),
        dict(id=2, image_id=2, category_id=1, bbox=[0, 0, 2.5, 3], iscrowd=0),
        dict(id=3, image_id=2, category_id=3, area=8.5, bbox=[0, 0, 9, 9]),
        dict(
            id=4,
            image_id=7,
            category_id=3,
            area=2,
            iscrowd=1,
            segmentation=dict(counts=[1], size=[3, 3]),
        ),
    ],
)


def size_of(annotation: dict) -> float:
    if annotation.get('iscrowd'):
        return math.nan
    _, _, width, height = annotation.get('bbox', [0, 0, math.nan, 1])
    return annotation.get('area', width * height)


def check_coco(folder: Path, content: bytes) -> None:
    path = folder / 'c.json'
    path.write_bytes(content)
    data = attempt(
        path,
        lambda: DATASETS.build(
            dict(type='mmmsf.CocoMultiLabel', ann_file=str(path), data_prefix=str(folder))
        ),
    )
    if data is None:
        return
    plain = json.loads(content)
    categories = sorted(plain['categories'], key=lambda one: one['id'])
    assert list(data.metainfo['classes']) == [one['name'] for one in categories]
    assert len(data) == len(plain['images'])
    for i, image in enumerate(plain['images']):
        own = [one for one in plain['annotations'] if one['image_id'] == image['id']]
        info = data.get_data_info(i)
        labels = [
            k for k, one in enumerate(categories) if any(a['category_id'] == one['id'] for a in own)
        ]
        assert info['gt_label'] == labels
        assert info['img_path'] == os.path.join(str(folder), image['file_name'])
        for k in labels:
            sizes = [size_of(a) for a in own if a['category_id'] == categories[k]['id']]
            with np.errstate(over='ignore'):
                expected = np.float32(max((s for s in sizes if s == s), default=math.nan))
            np.testing.assert_array_equal(info['gt_area'][k], expected)


# VOC

XML = (
    '<annotation><filename>x</filename><object><name>dog</name><difficult>0</difficult><bndbox>'
    '<xmin>1</xmin><ymin>1</ymin><xmax>20</xmax><ymax>20</ymax></bndbox></object><object>'
    '<name>cat</name><difficult>1</difficult></object><object><name>bird</name><part><name>head'
    '</name></part></object></annotation>'
)
XML_WORDS = [
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


def check_voc(folder: Path, content: bytes) -> None:
    path = folder / 'Annotations/a.xml'
    path.write_bytes(content)
    data = attempt(
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


def check_image_set(folder: Path, content: bytes) -> None:
    path = folder / 'ImageSets/Main/val.txt'
    path.write_bytes(content)
    data = attempt(
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


# Tables

TABLE = 'path,labels,note\na.jpg,dog;cat,x\n"b,1.jpg", dog ,\ns/c.jpg,,"two\nlines"\n'
TABLE_WORDS = [
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


def check_table(folder: Path, content: bytes) -> None:
    path = folder / 't.csv'
    path.write_bytes(content)
    data = attempt(
        path,
        lambda: DATASETS.build(
            dict(type='mmmsf.CsvMultiLabel', ann_file=str(path), data_prefix=str(folder), **FAST)
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
    place, column = header.index('path'), header.index('labels')
    sets = [
        {label.strip() for label in re.split('[;|]', row[column]) if label.strip()}
        for row in rows[1:]
    ]
    classes = sorted(set().union(*sets))
    assert list(data.metainfo['classes']) == classes
    assert len(data) == len(sets)
    for i, (row, labels) in enumerate(zip(rows[1:], sets, strict=True)):
        info = data.get_data_info(i)
        assert {classes[k] for k in info['gt_label']} == labels
        assert info['img_path'] == os.path.join(str(folder), row[place].strip())


# Images


def picture(image_format: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, image_format)
    return stream.getvalue()


LOAD_IMAGE = TRANSFORMS.build(dict(type='mmmsf.LoadImage', max_pixels=10**6))
FORMATS = ('PNG', 'JPEG', 'GIF', 'BMP', 'TIFF', 'WEBP', 'PPM')


def check_image(folder: Path, content: bytes) -> None:
    path = folder / 'x.jpg'
    path.write_bytes(content)
    found = attempt(path, lambda: LOAD_IMAGE(dict(img_path=str(path))))
    if found is None:
        return
    image = found['img']
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    with Image.open(io.BytesIO(content)) as pil:
        assert sorted(pil.size) == sorted(image.shape[:2])
        if content.startswith(b'\x89PNG'):  # its checksums tell damage from pixels
            with Image.open(io.BytesIO(picture('PNG'))) as whole:
                np.testing.assert_array_equal(image[..., ::-1], np.asarray(whole))


CASES: dict[str, tuple[Callable[[Path, bytes], None], st.SearchStrategy[bytes]]] = {
    'coco': (check_coco, damaged_json(COCO)),
    'coco bytes': (check_coco, damaged_bytes(json.dumps(COCO).encode())),
    'voc': (check_voc, damaged_text(XML, XML_WORDS)),
    'image set': (
        check_image_set,
        damaged_text('a\nb -1\nc 1\n', ['a', '1', '-1', '../', '\n', '/', '\x0c', ' ', '\0']),
    ),
    'table': (check_table, damaged_text(TABLE, TABLE_WORDS)),
    **{
        image_format: (check_image, damaged_bytes(picture(image_format)))
        for image_format in FORMATS
    },
}


def fuzz(case: str, folder: Path, how: settings) -> None:
    check, contents = CASES[case]
    # A pickle of an exotic failure helps nobody: the content itself is printed by hypothesis
    how(given(content=contents)(lambda content: check(folder, content)))()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """What the damaged files lie among; in memory where that can be had."""
    memory = Path('/dev/shm')
    place = memory if os.access(memory, os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name)
        for part in ('Annotations', 'ImageSets/Main', 'JPEGImages'):
            (folder / part).mkdir(parents=True)
        for letter in 'abc':
            (folder / f'JPEGImages/{letter}.jpg').touch()
        (folder / 'ImageSets/Main/one.txt').write_text('a\n')
        yield folder


@pytest.mark.parametrize('case', CASES)
def test_quick(case: str, folder: Path) -> None:
    fuzz(case, folder, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize('case', CASES)
def test_long(case: str, folder: Path) -> None:
    fuzz(case, folder, LONG)


def test_sound_files_pass(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), 'attempt', lambda _, load: load())  # no error is an answer
    check_coco(folder, json.dumps(COCO).encode())
    check_voc(folder, XML.encode())
    check_image_set(folder, b'a\nb -1\nc 1\n')
    check_table(folder, TABLE.encode())
    for image_format in FORMATS:
        check_image(folder, picture(image_format))
