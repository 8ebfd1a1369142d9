"""Tables of paths and labels: labels and class order."""

import numpy as np
import pytest

from mmmsf.datasets import CsvMultiLabel
from mmmsf.registry import DATASETS

GOOD = 'path,labels\nsub/b.jpg,dog;cat\na.jpg,\n"c,d.jpg",zebra | cat\n'


@pytest.fixture
def write(tmp_path):
    def write_file(content, name='t.csv'):
        (tmp_path / name).write_text(content, newline='')
        return dict(ann_file=name, data_root=str(tmp_path), data_prefix='img')

    return write_file


def test_labels_and_paths(write, tmp_path, capture_log):
    data = CsvMultiLabel(**write(GOOD))
    assert data.metainfo['classes'] == ('cat', 'dog', 'zebra')
    infos = [data.get_data_info(i) for i in range(3)]
    assert [info['gt_label'] for info in infos] == [[0, 1], [], [0, 2]]
    assert [info['img_path'] for info in infos] == [
        str(tmp_path / 'img' / name) for name in ('sub/b.jpg', 'a.jpg', 'c,d.jpg')
    ]
    np.testing.assert_array_equal(infos[0]['gt_area'], np.full(3, np.nan, np.float32))
    assert any('3 classes' in line and 'those of its labels' in line for line in capture_log)


@pytest.mark.parametrize(
    'content',
    [
        'path\tlabels\nsub/b.jpg\tdog;cat\na.jpg\t\nc,d.jpg\tzebra;cat\n',
        '\ufeffpath,labels\r\nsub/b.jpg,dog;cat\r\n\r\na.jpg,\r\n"c,d.jpg",zebra;cat\r\n',
        'labels,by,path\ndog;cat,me,sub/b.jpg\n,,a.jpg\n" zebra;cat ",me,"c,d.jpg"\n',
        'path , labels\nsub/b.jpg, dog ; cat\na.jpg, \n"c,d.jpg",zebra;cat',
    ],
)
def test_other_spellings_of_the_same(write, content):
    one, other = CsvMultiLabel(**write(content)), CsvMultiLabel(**write(GOOD, 'good.csv'))
    assert one.metainfo['classes'] == other.metainfo['classes']
    for i in range(3):
        first, second = one.get_data_info(i), other.get_data_info(i)
        assert (first['img_path'], first['gt_label']) == (second['img_path'], second['gt_label'])


@pytest.mark.parametrize('options', [{}, dict(names=['cat', 'dog'])])
def test_a_repeated_label_counts_once_and_is_said(write, capture_log, options):
    content = 'path,labels\na.jpg,dog\nb.jpg,cat;dog;cat\nc.jpg,dog;dog;dog\n'
    data = CsvMultiLabel(**write(content), **options)
    assert [data.get_cat_ids(i) for i in range(3)] == [[1], [0, 1], [1]]
    assert data.label_counts().tolist() == [1, 3]
    said = [line for line in capture_log if 'repeated' in line]
    assert len(said) == 1
    assert "2 rows, first 'cat' in line 3" in said[0]


def test_an_equal_row_counts_once_and_is_said(write, capture_log):
    data = CsvMultiLabel(**write('path,labels\na.jpg,dog;cat\nb.jpg,cat\n./a.jpg,cat;dog\n'))
    assert data.label_counts().tolist() == [2, 1]
    (line,) = [line for line in capture_log if 'repeated' in line]
    assert "a row that is repeated counts once, in 1 rows, first './a.jpg' in line 4" in line


def test_configured_classes(write, tmp_path, capture_log):
    order = ['zebra', 'dog', 'cat', 'cow']
    data = CsvMultiLabel(**write(GOOD), metainfo=dict(classes=order))
    assert data.metainfo['classes'] == tuple(order)
    assert data.get_data_info(0)['gt_label'] == [1, 2]
    (tmp_path / 'names.txt').write_text('\n'.join(order) + '\n')
    data = CsvMultiLabel(**write(GOOD), classes=str(tmp_path / 'names.txt'))
    assert data.metainfo['classes'] == tuple(order)
    assert not any('those of its labels' in line for line in capture_log)


def test_registered_and_filtered(write):
    data = DATASETS.build(
        dict(type='mmmsf.CsvMultiLabel', filter_cfg=dict(filter_empty=True), **write(GOOD))
    )
    assert type(data) is CsvMultiLabel and len(data) == 2


def test_a_part_of_the_classes(write, capture_log):
    data = CsvMultiLabel(**write(GOOD), metainfo=dict(classes=['dog', 'cat']))
    assert [data.get_data_info(i)['gt_label'] for i in range(3)] == [[0, 1], [], [1]]
    assert any("1 dropped, with their labels: 'zebra' (1)" in line for line in capture_log)


ONE_HOT = 'image,street,bus,lorry,truck\na.jpg,0,1,0,0\nb.jpg,0,0,1,0\nc.jpg,0,0,0,1\n'


@pytest.mark.parametrize(
    'options, classes, labels',
    [
        ({}, ('street', 'bus', 'lorry', 'truck'), [[1], [2], [3]]),
        (dict(drop_absent=True), ('bus', 'lorry', 'truck'), [[0], [1], [2]]),
        (dict(classes=['truck', 'bus']), ('truck', 'bus'), [[1], [], [0]]),
        (dict(rename_classes=dict(lorry='truck')), ('street', 'bus', 'truck'), [[1], [2], [2]]),
        (
            dict(rename_classes=dict(lorry='a;b')),
            ('street', 'bus', 'a;b', 'truck'),
            [[1], [2], [3]],
        ),
    ],
)
def test_chosen_classes(write, options, classes, labels):
    data = CsvMultiLabel(**write(ONE_HOT), **options)
    assert data.metainfo['classes'] == classes
    assert [data.get_data_info(i)['gt_label'] for i in range(3)] == labels


def test_one_hot_columns_are_all_of_the_classes(write):
    with pytest.raises(ValueError, match="t.csv: classes.*'buss'.*did you mean 'bus'"):
        CsvMultiLabel(**write(ONE_HOT), classes=['buss', 'truck'])
