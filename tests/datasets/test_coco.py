"""COCO instances files: labels, sizes, class order and subsets."""

import copy
import json
import math
import pickle

import numpy as np
import pytest
from mmengine.dataset import ClassBalancedDataset, ConcatDataset

from mmmsf.datasets import COCO_CLASSES, VOC_CLASSES, CocoMultiLabel
from mmmsf.registry import DATASETS


def annotation(number, image_id, category_id, area=None, **extra):
    side = math.sqrt(area or 4)
    record = dict(
        id=number,
        image_id=image_id,
        category_id=category_id,
        bbox=[0, 0, side, side],
        iscrowd=0,
        **extra,
    )
    return record if area is None else dict(record, area=area)


# Ids with gaps, categories out of order, images out of order, one image without a label.
GOOD = dict(
    images=[
        dict(id=70, file_name='b.jpg'),
        dict(id=5, file_name='sub/a.jpg'),
        dict(id=900, file_name='c.jpg'),
    ],
    categories=[
        dict(id=90, name='toothbrush'),
        dict(id=1, name='person'),
        dict(id=13, name='stop sign'),
    ],
    annotations=[
        annotation(11, 5, 90, 100),
        annotation(12, 5, 1, 50),
        annotation(13, 5, 90, 300),
        annotation(14, 5, 90, 200),
        annotation(15, 70, 13),
    ],
)


@pytest.fixture
def write(tmp_path):
    def write_file(content):
        (tmp_path / 'instances.json').write_text(json.dumps(content))
        return dict(ann_file='instances.json', data_root=str(tmp_path), data_prefix='img')

    return write_file


@pytest.fixture
def changed(write):
    def change(edit):
        content = copy.deepcopy(GOOD)
        edit(content)
        return write(content)

    return change


def test_labels_and_sizes(write, tmp_path):
    data = CocoMultiLabel(**write(GOOD))
    assert data.metainfo['classes'] == ('person', 'stop sign', 'toothbrush')
    infos = [data.get_data_info(i) for i in range(3)]
    assert [info['gt_label'] for info in infos] == [[1], [0, 2], []]
    assert infos[1]['img_path'] == str(tmp_path / 'img' / 'sub/a.jpg')
    # the largest of the three toothbrushes; bbox where there is no area
    np.testing.assert_array_equal(infos[1]['gt_area'], np.float32([50, np.nan, 300]))
    np.testing.assert_array_equal(infos[0]['gt_area'], np.float32([np.nan, 4, np.nan]))
    np.testing.assert_array_equal(data.label_counts(), [1, 1, 1])


def test_registered_and_quiet(write, capsys):
    cfg = dict(type='mmmsf.CocoMultiLabel', **write(GOOD))
    assert type(DATASETS.build(cfg)) is CocoMultiLabel
    assert 'index' not in capsys.readouterr().out


def test_crowd_gives_a_label_but_no_size(changed):
    def crowd(content):
        content['annotations'] += [
            dict(annotation(16, 900, 1, 9000), iscrowd=1),
            dict(annotation(17, 5, 1, 9000), iscrowd=1),
        ]

    data = CocoMultiLabel(**changed(crowd))
    only, both = data.get_data_info(2), data.get_data_info(1)
    assert only['gt_label'] == [0] and np.isnan(only['gt_area'][0])
    assert both['gt_area'][0] == 50


def test_filter_empty(write):
    data = CocoMultiLabel(**write(GOOD), filter_cfg=dict(filter_empty=True))
    assert [data.get_data_info(i)['img_path'][-5:] for i in range(2)] == ['b.jpg', 'a.jpg']
    assert len(data) == 2


def test_configured_order_decides_the_index(write):
    order = ['stop sign', 'toothbrush', 'person']
    data = CocoMultiLabel(**write(GOOD), metainfo=dict(classes=order))
    assert data.metainfo['classes'] == tuple(order)
    assert data.get_data_info(1)['gt_label'] == [1, 2]
    np.testing.assert_array_equal(data.get_data_info(1)['gt_area'], np.float32([np.nan, 300, 50]))


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(classes=['person', 'cup']), "classes must .* got 'cup', .* 'stop sign'"),
        (dict(classes=['persons']), "did you mean 'person'"),
        (dict(rename_classes=dict(cup='person')), "rename_classes must .* got 'cup'"),
        (dict(classes=['person'], drop_absent=True), 'drop_absent'),
        (dict(classes=[]), 'at least one class'),
    ],
)
def test_classes_that_the_file_lacks(write, options, message):
    with pytest.raises(ValueError, match=message):
        CocoMultiLabel(**write(GOOD), **options)


def test_a_part_of_the_classes(write, capture_log):
    data = CocoMultiLabel(**write(GOOD), classes=['toothbrush', 'person'])
    assert [data.get_data_info(i)['gt_label'] for i in range(3)] == [[], [0, 1], []]
    np.testing.assert_array_equal(data.get_data_info(1)['gt_area'], np.float32([300, 50]))
    assert any("1 dropped, with their labels: 'stop sign' (1)" in line for line in capture_log)


def test_empty_images_are_filtered_after_the_choice(write, capture_log):
    data = CocoMultiLabel(**write(GOOD), classes=['stop sign'], filter_cfg=dict(filter_empty=True))
    assert len(data) == 1 and data.get_data_info(0)['img_path'].endswith('b.jpg')
    assert any('filter_empty dropped 2 of 3' in line for line in capture_log)


def test_merged_classes_keep_the_largest_size(write):
    data = CocoMultiLabel(**write(GOOD), rename_classes={'person': 'thing', 'toothbrush': 'thing'})
    assert data.metainfo['classes'] == ('thing', 'stop sign')
    assert [data.get_data_info(i)['gt_label'] for i in range(3)] == [[1], [0], []]
    np.testing.assert_array_equal(data.get_data_info(1)['gt_area'], np.float32([300, np.nan]))


def test_exchanged_names(write):
    names = ['person', 'stop sign', 'toothbrush']
    swap = {'person': 'toothbrush', 'toothbrush': 'person'}
    data = CocoMultiLabel(**write(GOOD), classes=names, rename_classes=swap)
    np.testing.assert_array_equal(data.get_data_info(1)['gt_area'], np.float32([300, np.nan, 50]))


def test_configured_classes_must_be_distinct(write):
    with pytest.raises(ValueError, match=r"more than once: \['person'\]"):
        CocoMultiLabel(**write(GOOD), metainfo=dict(classes=['person', 'person']))


def test_class_lists():
    assert len(COCO_CLASSES) == len(set(COCO_CLASSES)) == 80
    assert (COCO_CLASSES[0], COCO_CLASSES[11], COCO_CLASSES[79]) == (
        'person',
        'stop sign',
        'toothbrush',
    )
    assert len(VOC_CLASSES) == 20 and list(VOC_CLASSES) == sorted(set(VOC_CLASSES))


@pytest.mark.parametrize('indices', [2, -2, [2, 0], [-1, 1, 1]])
def test_subsets_and_workers_see_the_same_items(write, indices):
    data = CocoMultiLabel(**write(GOOD))
    rows = (
        (list(range(3))[:indices] if indices > 0 else list(range(3))[indices:])
        if isinstance(indices, int)
        else indices
    )
    expected = [data.get_data_info(row)['img_path'] for row in rows]
    loaded = CocoMultiLabel(**write(GOOD), indices=indices)
    changed_in_place = copy.deepcopy(data)
    changed_in_place.get_subset_(indices)
    for part in (
        loaded,
        changed_in_place,
        data.get_subset(indices),
        pickle.loads(pickle.dumps(loaded)),
    ):
        assert [part.get_data_info(i)['img_path'] for i in range(len(part))] == expected
        assert part.get_data_info(-1)['sample_idx'] == len(expected) - 1
    assert len(data) == 3
    with pytest.raises(IndexError):
        data.get_data_info(3)


def test_concatenated_and_balanced(write):
    data = CocoMultiLabel(**write(GOOD))
    both = ConcatDataset([data, data])
    assert len(both) == 6 and both.get_data_info(4)['gt_label'] == [0, 2]
    repeated = ClassBalancedDataset(data, oversample_thr=0.9)
    assert len(repeated) >= 3


def test_an_item_can_be_changed_without_changing_the_set(write):
    data = CocoMultiLabel(**write(GOOD))
    data.get_data_info(1)['gt_label'].append(7)
    data.get_cat_ids(1).append(8)
    assert data.get_data_info(1)['gt_label'] == data.get_cat_ids(1) == [0, 2]
