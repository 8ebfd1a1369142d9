"""Gathering by columns against the loop over pycocotools, the quick look against the full check."""

import gc
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmmsf.datasets import CocoMultiLabel
from mmmsf.datasets.coco import load_coco
from mmmsf.datasets.readers.coco_check import check_annotations
from mmmsf.datasets.readers.coco_json import annotations_are_sound, paused_gc


def items_by_pycocotools(path, prefix, classes):
    """The items of a file, image by image and instance by instance."""
    coco = load_coco(path)
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
    optional=dict(area=ODD, bbox=ODD),
) | st.fixed_dictionaries(
    {},
    optional=dict(
        id=ODD, image_id=ODD, category_id=ODD, area=st.just(1.5), bbox=st.just([0.5, -1, 2, 0])
    ),
)


@given(st.lists(RECORD, max_size=3))
def test_quick_look_accepts_only_what_the_full_check_accepts(annotations):
    data = dict(images=[dict(id=1), dict(id=2)], categories=[dict(id=1)], annotations=annotations)
    try:
        check_annotations('a.json', data)
        sound = True
    except (ValueError, OverflowError, TypeError):
        sound = False
    plain = all(type(value) is not bool for record in annotations for value in record.values())
    if plain:  # a bool passes for an int in the full check, and the quick look leaves it to that
        assert annotations_are_sound(data) == sound
    else:
        assert not annotations_are_sound(data) or sound


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
