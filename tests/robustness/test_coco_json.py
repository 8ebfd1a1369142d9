"""COCO instances files, damaged, hostile and fuzzed: each message names the file and the record."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmmsf.registry import DATASETS
from tests.helpers.fuzzing import LENGTHS, attempt, damaged_bytes, damaged_json, fuzz
from tests.helpers.small_data import build_dataset

COCO = 'annotations/instances_val2014.json'
Edit = Callable[[dict[str, Any]], object]


def _set(section: str, number: int, **fields: Any) -> Edit:
    return lambda content: content[section][number].update(fields)


def edit_file(root: Path, edit: Edit) -> None:
    content = json.loads((root / COCO).read_text())
    edit(content)
    (root / COCO).write_text(json.dumps(content))


def test_valid_set_loads(root: Path) -> None:
    assert len(build_dataset('coco', root)) == 4


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
    'nested without end': (b'{"images": ' + b'[' * 500_000, r'not JSON \(.*recursion.*; fetch'),
    'digits without end': (b'{"images": ' + b'9' * 5000 + b'}', r'not JSON \(Exceeds the limit'),
}


@pytest.mark.parametrize('case', FILES)
def test_files(root: Path, case: str) -> None:
    content, message = FILES[case]
    (root / COCO).unlink()
    if content is not None:
        (root / COCO).write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        build_dataset('coco', root)
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
    'id is true': (_set('images', 2, id=True), r'image entry 2 must have a valid "id", got True'),
    'id is a fraction': (_set('images', 2, id=2.5), r'must have a valid "id", got 2\.5'),
    'category name is a number': (_set('categories', 1, name=3), 'must have a valid "name", got 3'),
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
    'image without file name': (
        _set('images', 2, file_name=None),
        'image 2 must have a valid "file_name", got None',
    ),
    'annotation without image': (
        _set('annotations', 1, image_id=None),
        'annotation entry 1 must have a valid "image_id", got None',
    ),
    'category name twice': (
        _set('categories', 0, name='b'),
        r"category names must be distinct.*\['b'\]",
    ),
    'category id is text': (
        _set('categories', 2, id='x'),
        'category entry 2 must have a valid "id", got \'x\'',
    ),
    'area is text': (_set('annotations', 3, area='big'), "annotation 4: area must be .* got 'big'"),
    'box below 0': (_set('annotations', 3, bbox=[0, 0, 3, -1]), r'bbox must be .*\[0, 0, 3, -1\]'),
    'box of text': (_set('annotations', 3, bbox=[0, 0, 3, 'x']), "bbox must be .*'x'"),
    'negatives are a number': (
        _set('images', 2, neg_category_ids=3),
        'image 2: "neg_category_ids" must be a list of category ids, got 3',
    ),
    'not exhaustive is text': (
        _set('images', 2, not_exhaustive_category_ids='3'),
        'image 2: "not_exhaustive_category_ids" must be a list of category ids, got \'3\'',
    ),
    'negative without category': (
        _set('images', 2, neg_category_ids=[1, 77]),
        'image 2: "neg_category_ids" must be ids of "categories", got 77; add',
    ),
    'negative is true': (
        _set('images', 2, neg_category_ids=[True]),
        'image 2: "neg_category_ids" must be ids .* got True',
    ),
    'negatives of one image': (
        _set('images', 2, neg_category_ids=[1]),
        'image 0 has no "neg_category_ids", but 1 of 4 images do',
    ),
    'annotated and negative': (
        lambda c: [image.update(neg_category_ids=[3]) for image in c['images']],
        'image 1: the category \'c\' is annotated, and in "neg_category_ids"',
    ),
    'address is a number': (
        _set('images', 2, file_name=None, coco_url=3),
        'image 2 must have a valid "file_name", got None',
    ),
    'address leads out': (
        _set('images', 2, file_name=None, coco_url='http://host/../x.jpg'),
        'image 2: file_name must stay inside',
    ),
    'no image left': (lambda c: c.update(images=[], annotations=[]), 'no image is left of 0'),
}


BOXES: list[dict[str, Any]] = [
    dict(bbox=[9, 9, -3, -3]),
    dict(bbox=[0, 0, 1]),
    dict(area=-5),
    dict(area='x', bbox='y', iscrowd=7),
]


@pytest.mark.parametrize('fields', BOXES)
def test_boxes_are_not_read_without_sizes(root: Path, fields: dict[str, Any]) -> None:
    edit_file(root, _set('annotations', 3, **fields))
    labels = [[0, 1], [1, 2], [2, 3], [3, 4]]
    data = build_dataset('coco', root, sizes=False)
    assert [data.get_data_info(i)['gt_label'] for i in range(4)] == labels
    assert np.isnan(np.stack([data.get_data_info(i)['gt_area'] for i in range(4)])).all()


def test_null_counts_as_missing(root: Path) -> None:
    edit_file(root, _set('annotations', 3, area=None, bbox=None, iscrowd=None))
    edit_file(root, _set('annotations', 4, area=None, bbox=[0, 0, 4, 5]))
    data = build_dataset('coco', root)
    areas = data.get_data_info(1)['gt_area']
    assert data.get_data_info(1)['gt_label'] == [1, 2] and np.isnan(areas[2])
    assert data.get_data_info(2)['gt_area'][2] == 20


@pytest.mark.parametrize('case', EDITS)
def test_records(root: Path, case: str) -> None:
    edit, message = EDITS[case]
    edit_file(root, edit)
    with pytest.raises(ValueError, match=message) as caught:
        build_dataset('coco', root)
    assert str(root / COCO) in str(caught.value)


def test_first_faulty_record_is_named(root: Path) -> None:
    def edit(content: dict[str, Any]) -> None:
        for annotation in content['annotations'][2:]:
            annotation['area'] = -1

    edit_file(root, edit)
    with pytest.raises(ValueError, match='annotation 3: area must be'):
        build_dataset('coco', root)


def test_box_may_begin_outside_or_be_flat(root: Path) -> None:
    edit_file(root, _set('annotations', 3, bbox=[-2, -1, 0, 7]))
    assert len(build_dataset('coco', root)) == 4


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    'other classes': (
        dict(metainfo=dict(classes=['a', 'x'])),
        r"instances_val2014\.json: classes must name classes of the file, got 'x'",
    ),
    'no file named': (dict(ann_file=''), 'annotation file must be named, got an empty'),
    'a folder': (dict(ann_file='val2014'), 'val2014: this annotation file cannot be read'),
    'wrong filter': (
        dict(filter_cfg=dict(filter_emtpy=True)),
        r"filter_cfg may hold .*\['filter_empty'\], got also \['filter_emtpy'\]",
    ),
    'nothing selected': (dict(indices=0), 'indices must select at least one image'),
}


@pytest.mark.parametrize('case', OPTIONS)
def test_options(root: Path, case: str) -> None:
    options, message = OPTIONS[case]
    with pytest.raises((ValueError, OSError), match=message):
        build_dataset('coco', root, **options)


def test_every_image_is_filtered_out(root: Path) -> None:
    edit_file(root, lambda content: content.update(annotations=[]))
    with pytest.raises(ValueError, match=r'json: no image is left of 4 with .*filter_empty'):
        build_dataset('coco', root, filter_cfg=dict(filter_empty=True))


def test_byte_order_mark_is_dropped(root: Path) -> None:
    (root / COCO).write_bytes(b'\xef\xbb\xbf' + (root / COCO).read_bytes())
    assert len(build_dataset('coco', root)) == 4


SMALL = dict(
    images=[
        dict(id=7, file_name='b.jpg', neg_category_ids=[1], not_exhaustive_category_ids=[]),
        dict(id=2, file_name='s/a.jpg', neg_category_ids=[]),
    ],
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
    _, _, width, height = annotation.get('bbox') or [0, 0, math.nan, 1]  # null is missing
    area = annotation.get('area')
    return width * height if area is None else area


def state_of(image: dict, category: int, annotated: bool) -> int:
    negative, incomplete = image.get('neg_category_ids'), image.get('not_exhaustive_category_ids')
    if annotated:
        return 1
    if category in (incomplete or []):
        return -1
    return 0 if negative is None or category in negative else -1


def check_coco(folder: Path, content: bytes, load: Any = attempt) -> None:
    path = folder / 'c.json'
    path.write_bytes(content)
    data = load(
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
        assert info['gt_score'].tolist() == [
            state_of(image, one['id'], k in labels) for k, one in enumerate(categories)
        ]
        assert info['img_path'] == os.path.join(str(folder), image['file_name'])
        for k in labels:
            sizes = [size_of(a) for a in own if a['category_id'] == categories[k]['id']]
            with np.errstate(over='ignore'):
                expected = np.float32(max((s for s in sizes if s == s), default=math.nan))
            np.testing.assert_array_equal(info['gt_area'][k], expected)


@pytest.mark.parametrize('long', LENGTHS)
@pytest.mark.parametrize(
    'contents',
    [damaged_json(SMALL), damaged_bytes(json.dumps(SMALL).encode())],
    ids=['json', 'bytes'],
)
def test_fuzz(fuzz_folder: Path, contents: Any, long: bool) -> None:
    fuzz(check_coco, fuzz_folder, contents, long)


def test_fuzzed_file_is_valid_before(fuzz_folder: Path) -> None:
    check_coco(fuzz_folder, json.dumps(SMALL).encode(), load=lambda _, build: build())
