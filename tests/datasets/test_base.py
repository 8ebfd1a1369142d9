"""Label vectors, filtering and failure of the common dataset base."""

import pickle

import numpy as np
import pytest
from mmengine.logging import MMLogger

from mmmsf.datasets import MultiLabelData
from mmmsf.datasets.class_names import check_classes, class_difference
from mmmsf.datasets.image_selection import check_filter_cfg
from mmmsf.datasets.targets import area_vector, score_vector

ITEMS = [
    dict(img_path='a.png', gt_label=[0, 2], areas=[10.0, float('nan')]),
    dict(img_path='b.png', gt_label=[], areas=[]),
    dict(img_path='c.png', gt_label=[2], gt_ignore=[1]),
]


class Fixed(MultiLabelData):
    """Three images in memory."""

    def load_data_list(self) -> list[dict]:
        self._metainfo.setdefault('classes', ['x', 'y', 'z'])
        return [dict(item) for item in ITEMS]


@pytest.mark.parametrize('serialize', [True, False])
def test_vectors_of_an_image(serialize):
    data = Fixed('list.json', serialize_data=serialize)
    first, second, third = (data.get_data_info(i) for i in range(3))
    for info in (first, second, third):
        assert info['gt_score'].dtype == info['gt_area'].dtype == np.float32
    np.testing.assert_array_equal(first['gt_score'], [1, 0, 1])
    np.testing.assert_array_equal(first['gt_area'], [10, np.nan, np.nan])
    np.testing.assert_array_equal(second['gt_score'], [0, 0, 0])
    np.testing.assert_array_equal(third['gt_score'], [0, -1, 1])
    np.testing.assert_array_equal(third['gt_area'], [np.nan] * 3)
    assert third['sample_idx'] == 2


def test_items_stay_unchanged_between_reads():
    data = Fixed('list.json', serialize_data=False)
    data.get_data_info(0)
    np.testing.assert_array_equal(data.get_data_info(0)['gt_area'], [10, np.nan, np.nan])


def test_statistics():
    data = Fixed('list.json')
    assert data.get_cat_ids(0) == [0, 2]
    np.testing.assert_array_equal(data.label_counts(), [1, 0, 2])
    np.testing.assert_array_equal(data.get_gt_labels(), [[1, 0, 1], [0, 0, 0], [0, -1, 1]])
    assert data.metainfo['classes'] == ('x', 'y', 'z')


def test_counts_include_classes_that_never_occur():
    data = Fixed('list.json', metainfo=dict(classes=['x', 'y', 'z', 'unseen']))
    np.testing.assert_array_equal(data.label_counts(), [1, 0, 2, 0])


def test_positive_wins_over_ignored():
    np.testing.assert_array_equal(score_vector(3, [1], [1, 2]), [0, 1, -1])


def test_area_vector_without_sizes_is_unknown():
    np.testing.assert_array_equal(area_vector(2, [0], []), [np.nan, np.nan])


def test_unlabelled_images_stay_by_default():
    assert len(Fixed('list.json')) == 3


def test_filter_empty_drops_and_logs(monkeypatch):
    lines = []
    monkeypatch.setattr('mmmsf.datasets.base.print_log', lambda text, **_: lines.append(text))
    data = Fixed('list.json', filter_cfg=dict(filter_empty=True))
    assert [data.get_data_info(i)['img_path'] for i in range(len(data))] == ['a.png', 'c.png']
    assert lines == ['list.json: filter_empty dropped 1 of 3 images, those without a label']


def test_filter_log_reaches_the_current_logger(capsys):
    MMLogger.get_instance('filter_log')
    Fixed('list.json', filter_cfg=dict(filter_empty=True))
    captured = capsys.readouterr()
    assert 'dropped 1 of 3 images' in captured.out + captured.err


@pytest.mark.parametrize('lazy_init', [True, False])
def test_unknown_filter_key_is_refused(lazy_init):
    with pytest.raises(ValueError, match=r"\['filter_empty'\], got also \['filter_empty_gt'\]"):
        Fixed('list.json', filter_cfg=dict(filter_empty_gt=True), lazy_init=lazy_init)


def test_filter_value_must_be_bool():
    with pytest.raises(ValueError, match="must be True or False, got 'yes'"):
        check_filter_cfg(dict(filter_empty='yes'))


def test_no_image_left_names_file_and_filter():
    class Bare(Fixed):
        def load_data_list(self):
            return super().load_data_list()[1:2]

    with pytest.raises(ValueError, match=r"list.json: no image is left of 1 .*'filter_empty': T"):
        Bare('list.json', filter_cfg=dict(filter_empty=True))


@pytest.mark.parametrize('indices', [0, []])
def test_indices_must_select_something(indices):
    with pytest.raises(ValueError, match='indices must select at least one image'):
        Fixed('list.json', indices=indices)
    assert len(Fixed('list.json', indices=[2])) == 1


def test_repeated_class_is_refused():
    with pytest.raises(ValueError, match=r"more than once: \['x'\]"):
        Fixed('list.json', metainfo=dict(classes=['x', 'y', 'x']))


@pytest.mark.parametrize('key', ['classes', 'metainfo'])
def test_a_string_of_classes_is_a_file(tmp_path, key):
    """Not its letters: ('dog') is a string."""

    def load(value):
        return Fixed('list.json', **{key: value if key == 'classes' else dict(classes=value)})

    with pytest.raises(FileNotFoundError, match=r"dog: no such class list; .* list: \['dog'\]"):
        load('dog')
    path = tmp_path / 'names.txt'
    path.write_text('x\ny z\n\nw\n')
    assert load(str(path)).metainfo['classes'] == ('x', 'y z', 'w')


def test_classes_are_strings():
    with pytest.raises(ValueError, match=r'strings, got also \[3\]; put them in quotes'):
        Fixed('list.json', classes=['x', 3])
    with pytest.raises(ValueError, match=r"list of names, got 'dog'; write \['dog'\]"):
        check_classes('dog')


def test_difference_of_classes():
    assert class_difference('abc', 'adc') == ['b', 'd']
    assert class_difference('abcd', 'acbd') == (
        "the same names in another order, from index 1 on: 'b' and 'c'"
    )


@pytest.mark.parametrize('test_mode', [True, False])
def test_pipeline_that_gives_none_raises(test_mode):
    data = Fixed('list.json', pipeline=[lambda results: None], test_mode=test_mode)
    with pytest.raises(RuntimeError, match=r'returned None for b.png \(sample 1\)'):
        data[1]


def test_replacing_an_image_must_be_asked_for():
    data = Fixed(
        'list.json',
        max_refetch=50,
        pipeline=[lambda results: results if results['img_path'] == 'a.png' else None],
    )
    assert data[1]['img_path'] == 'a.png'


def test_pickles_for_workers():
    data = pickle.loads(pickle.dumps(Fixed('list.json')))
    np.testing.assert_array_equal(data.get_data_info(2)['gt_score'], [0, -1, 1])


def test_indices_from_a_file(tmp_path):
    path = tmp_path / 'held.txt'
    path.write_text('2\n0\n')
    data = Fixed('list.json', indices=str(path))
    assert [data.get_data_info(i)['img_path'] for i in range(len(data))] == ['c.png', 'a.png']
    data = Fixed('list.json', indices=str(path), filter_cfg=dict(filter_empty=True), lazy_init=True)
    with pytest.raises(IndexError):
        data.full_init()  # two images are left, so 2 is none of them
    for text, value in (('0\n-1\n', "'-1'"), ('0 x', "'x'"), ('1\n2\n1\n', r'\[1\] more')):
        path.write_text(text)
        with pytest.raises(ValueError, match=rf'held\.txt.*{value}'):
            Fixed('list.json', indices=str(path))
    path.write_text('')
    with pytest.raises(ValueError, match='at least one image'):
        Fixed('list.json', indices=str(path))
    with pytest.raises(FileNotFoundError):
        Fixed('list.json', indices=str(tmp_path / 'none.txt'))
