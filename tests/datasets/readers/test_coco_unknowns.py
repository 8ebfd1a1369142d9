"""Unknown labels of COCO files against a loop over images and classes."""

import json

import numpy as np
import pytest

from mmmsf.datasets import CocoMultiLabel
from mmmsf.datasets.readers.packed_labels import LabelTable

NAMES = ['cat', 'dog', 'cow', 'owl']


def lvis(**lists):
    """Three images: a cat and a dog, a cow, none; the category ids of NAMES are 3, 5, 7 and 9."""
    images = [
        dict(id=k, coco_url=f'http://images.host/val2017/{k}.jpg', **own)
        for k, own in enumerate(lists.get('images', [{}, {}, {}]))
    ]
    pairs = [(0, 3), (0, 5), (1, 7)]
    return dict(
        images=images,
        categories=[dict(id=3 + 2 * k, name=name) for k, name in enumerate(NAMES)],
        annotations=[
            dict(id=i, image_id=image, category_id=category, area=9 + i)
            for i, (image, category) in enumerate(pairs)
        ],
    )


@pytest.fixture
def load(tmp_path):
    def load_dataset(content, **options):
        (tmp_path / 'a.json').write_text(json.dumps(content))
        return CocoMultiLabel('a.json', data_root=str(tmp_path), **options)

    return load_dataset


def test_neither_annotated_nor_negative_is_unknown(load, tmp_path):
    lists = [
        dict(neg_category_ids=[7], not_exhaustive_category_ids=[3]),
        dict(neg_category_ids=[3, 5, 3], not_exhaustive_category_ids=[5]),
        dict(neg_category_ids=[], not_exhaustive_category_ids=[]),
    ]
    data = load(lvis(images=lists))
    assert data.get_gt_labels().tolist() == [[1, 1, 0, -1], [0, -1, 1, -1], [-1, -1, -1, -1]]
    assert [data.get_data_info(i).get('gt_ignore') for i in range(3)] == [[3], [1, 3], [0, 1, 2, 3]]
    assert data.get_data_info(1)['img_path'] == str(tmp_path / 'val2017/1.jpg')


def test_not_exhaustive_alone_leaves_the_others_negative(load):
    lists = [dict(not_exhaustive_category_ids=[3, 9]), {}, dict(not_exhaustive_category_ids=[5])]
    data = load(lvis(images=lists))
    assert data.get_gt_labels().tolist() == [[1, 1, 0, -1], [0, 0, 1, 0], [0, -1, 0, 0]]
    assert 'gt_ignore' not in data.get_data_info(1)


def test_filter_counts_positives_of_the_chosen_classes(load):
    content = lvis(images=[dict(neg_category_ids=[]) for _ in range(3)])
    data = load(content, classes=['cow', 'owl'], filter_cfg=dict(filter_empty=True))
    assert data.get_gt_labels().tolist() == [[1, -1]]


def merged(states):
    """State of a class that is merged from others."""
    return 1 if 1 in states else -1 if -1 in states else 0


@pytest.mark.parametrize('key', ['neg_category_ids', 'not_exhaustive_category_ids'])
@pytest.mark.parametrize('seed', range(3))
def test_choice_equals_the_loop(load, key, seed):
    rng = np.random.default_rng(seed)
    states = rng.integers(-1, 2, (30, 6))
    areas = rng.integers(1, 1000, (30, 6))
    listed = 0 if key == 'neg_category_ids' else -1
    content = dict(
        images=[
            {'id': i, 'file_name': f'{i}.jpg', key: np.flatnonzero(row == listed).tolist()}
            for i, row in enumerate(states)
        ],
        categories=[dict(id=k, name=f'c{k}') for k in range(6)],
        annotations=[
            dict(id=n, image_id=int(i), category_id=int(k), area=int(areas[i, k]))
            for n, (i, k) in enumerate(np.argwhere(states == 1))
        ],
    )
    rename = {'c1': 'c4', 'c3': 'both', 'c5': 'both'}
    data = load(content, classes=['both', 'c4', 'c0'], rename_classes=rename)
    for i, row in enumerate(states):
        groups = [[3, 5], [1, 4], [0]]
        info = data.get_data_info(i)
        assert info['gt_score'].tolist() == [merged(row[group].tolist()) for group in groups]
        sizes = [max((areas[i, k] for k in g if row[k] == 1), default=np.nan) for g in groups]
        np.testing.assert_array_equal(info['gt_area'], np.float32(sizes))
    whole = load(content)
    np.testing.assert_array_equal(whole.get_gt_labels(), states)


def test_many_classes_take_the_space_of_what_is_known():
    """As in LVIS, 1,203 classes, of which an image knows some twenty."""
    rng = np.random.default_rng(0)
    n, classes = 5000, [f'c{k}' for k in range(1203)]
    rows, labels = np.repeat(np.arange(n), 13), rng.integers(0, 600, 13 * n)
    marks = np.repeat(np.arange(n), 8), rng.integers(600, 1203, 8 * n)
    names = [f'{i:012d}.jpg' for i in range(n)]
    table = LabelTable.from_columns(
        classes, names, rows, labels, np.ones(13 * n), marks, np.ones(n, np.bool_)
    )
    chosen = table.with_classes(classes[::-1], {name: k for k, name in enumerate(classes[::-1])})
    known = set(labels[65:78]) | set(marks[1][40:48])
    assert chosen.unknown(5) == [1202 - k for k in reversed(range(1203)) if k not in known]
    for one in (table, chosen):
        assert sum(array.nbytes for array in one.to_arrays().values()) < 300 * n
