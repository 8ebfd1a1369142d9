"""Checking and gathering by columns against pycocotools and against the rules, one by one."""

import gc
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO

from mmmsf.datasets import CocoMultiLabel
from mmmsf.datasets.readers.coco_json import parse_table, paused_gc


def items_by_pycocotools(path, prefix, classes):
    """Collect the items of a file, image by image and instance by instance."""
    coco = COCO(path)
    items = []
    for image_id, image in coco.imgs.items():
        sizes = {}
        for instance in coco.imgToAnns.get(image_id, ()):
            label = classes.index(coco.cats[instance['category_id']]['name'])
            area = instance.get('area')
            if area is None and 'bbox' in instance:
                area = instance['bbox'][2] * instance['bbox'][3]
            known = sizes.setdefault(label, [])
            if area is not None and not instance.get('iscrowd', 0):
                known.append(area)
        items.append(
            dict(
                img_path=f'{prefix}/{image["file_name"]}',
                gt_label=sorted(sizes),
                areas=[max(sizes[k], default=math.nan) for k in sorted(sizes)],
            )
        )
    return items


def random_instances(rng, images=50):
    keys = rng.permutation(9 * images)[:images].tolist()
    names = ['sub/é', '名', '\ud800', 'x' * 200, 'plain']
    annotations = []
    for number in range(4 * images):
        record = dict(
            id=number,
            image_id=int(rng.choice(keys)),
            category_id=int(rng.integers(1, 8)),
            iscrowd=int(rng.random() < 0.2),
            segmentation=[[1.5, 2, 3]],
            bbox=rng.uniform(0, 90, 4).tolist(),
            area=float(rng.uniform(0, 900)),
        )
        for key in ('area', 'bbox', 'iscrowd'):
            if rng.random() < 0.3:
                del record[key]
        annotations.append(record)
    return dict(
        images=[dict(id=key, file_name=f'{names[key % 5]}{key}.jpg') for key in keys],
        categories=[dict(id=key, name=f'c{key}') for key in rng.permutation(7).tolist()]
        + [dict(id=7, name='c7')],
        annotations=annotations,
    )


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('shuffled', [False, True])
def test_equals_the_loop_over_pycocotools(tmp_path, seed, shuffled):
    rng = np.random.default_rng(seed)
    (tmp_path / 'a.json').write_text(json.dumps(random_instances(rng)))
    kwargs = dict(ann_file='a.json', data_root=str(tmp_path), data_prefix='img')
    classes = [f'c{key}' for key in (rng.permutation(8) if shuffled else range(8))]
    data = CocoMultiLabel(**kwargs, classes=classes if shuffled else None)
    expected = items_by_pycocotools(data.ann_file, data.img_prefix, classes)
    assert repr(list(data.data_list)) == repr(expected)
    counts = np.bincount([k for item in expected for k in item['gt_label']], minlength=8)
    np.testing.assert_array_equal(data.label_counts(), counts)
    labelled = CocoMultiLabel(**kwargs, filter_cfg=dict(filter_empty=True), classes=classes)
    assert repr(list(labelled.data_list)) == repr([x for x in expected if x['gt_label']])


ODD = st.sampled_from(
    [
        0,
        1,
        2,
        -1,
        True,
        None,
        '1',
        1.5,
        math.nan,
        math.inf,
        -math.inf,
        10**400,
        [0, 0, 1, 1],
        [0, 0, -1, 1],
        [0, 0, 1],
        [0, 0, math.nan, 1],
        ['a'] * 4,
    ]
)
RECORD = st.fixed_dictionaries(
    dict(id=st.just(1), image_id=st.just(1), category_id=st.just(1)),
    optional=dict(area=ODD, bbox=ODD, iscrowd=ODD),
) | st.fixed_dictionaries(
    {},
    optional=dict(
        id=ODD, image_id=ODD, category_id=ODD, area=st.just(1.5), bbox=st.just([0.5, -1, 2, 0])
    ),
)


def is_number(value):
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:
        return False


def is_valid(record):
    """Apply the rules to one record; image and category have the id 1, null counts as missing."""
    record = {key: value for key, value in record.items() if value is not None}
    area, box = record.get('area', 0), record.get('bbox', [0, 0, 0, 0])
    return (
        all(type(record.get(key)) in (int, str) for key in ('id', 'image_id', 'category_id'))
        and record['image_id'] == record['category_id'] == 1
        and record.get('iscrowd', 0) in (0, 1)
        and is_number(area)
        and area >= 0
        and isinstance(box, list)
        and len(box) == 4
        and all(map(is_number, box))
        and min(box[2:]) >= 0
        and is_number(float(box[2]) * box[3])
    )


@given(st.lists(RECORD, max_size=3))
def test_columns_are_checked_as_records_are(annotations):
    content = dict(
        images=[dict(id=1, file_name='a.jpg')],
        categories=[dict(id=1, name='a')],
        annotations=annotations,
    )
    try:
        parse_table('a.json', json.dumps(content).encode())
        accepted = True
    except ValueError as error:
        accepted = False
        assert 'a.json: annotation ' in str(error)
    assert accepted == all(map(is_valid, annotations))


@pytest.mark.parametrize('enabled', [True, False])
def test_collector_is_left_as_it_was_found(enabled):
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(KeyError), paused_gc():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()
