"""Tables of paths and labels: labels, class order and every kind of bad row."""

import numpy as np
import pytest

from mmmsf.datasets import CsvMultiLabel
from mmmsf.registry import DATASETS

GOOD = 'path,labels\nsub/b.jpg,dog;cat\na.jpg,\n"c,d.jpg",zebra | cat\n'


@pytest.fixture
def write(tmp_path):
    def write_file(content, name='t.csv'):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
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
    assert any('3 classes, those of its labels' in line for line in capture_log)


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


def test_configured_classes(write, tmp_path):
    order = ['zebra', 'dog', 'cat', 'cow']
    data = CsvMultiLabel(**write(GOOD), metainfo=dict(classes=order))
    assert data.metainfo['classes'] == tuple(order)
    assert data.get_data_info(0)['gt_label'] == [1, 2]
    (tmp_path / 'names.txt').write_text('\n'.join(order) + '\n')
    data = CsvMultiLabel(**write(GOOD), classes=str(tmp_path / 'names.txt'))
    assert data.metainfo['classes'] == tuple(order)


def test_registered_and_filtered(write):
    data = DATASETS.build(
        dict(type='mmmsf.CsvMultiLabel', filter_cfg=dict(filter_empty=True), **write(GOOD))
    )
    assert type(data) is CsvMultiLabel and len(data) == 2


@pytest.mark.parametrize(
    'content, message',
    [
        ('', r'line 1 must name the columns .* got \[\]'),
        ('path,label\na.jpg,dog', r"line 1 must name the columns .* got \['path', 'label'\]"),
        ('path,labels,path\na,b,c', 'line 1 must name the columns .* once each'),
        ('path;labels\na.jpg;dog', 'line 1 must name the columns'),
        ('path,labels\na.jpg,dog\n ,cat', 'line 3: the path is empty'),
        ('path,labels\na.jpg,dog\nb.jpg', 'line 3 has 1 cells where the header has 2'),
        ('path,labels\na.jpg,dog,cat', 'line 2 has 3 cells where the header has 2'),
        (
            'path,labels\na.jpg,dog\n\n./a.jpg,cat',
            r"line 4: the path '\./a\.jpg' is already in line 2",
        ),
        ('path,labels\n../a.jpg,dog', r"line 2: file_name must stay inside .* got '\.\./a\.jpg'"),
        ('path,labels\n/a.jpg,dog', 'line 2: file_name must stay inside'),
        ('path,labels\na.jpg,dog;;cat', "line 2: a label is empty, got 'dog;;cat'"),
        ('path,labels\na.jpg,dog;', 'line 2: a label is empty'),
        ('path,labels\na.jpg,dog;cat;dog', 'line 2: a label occurs twice'),
        ('path,labels\na.jpg,"dog', 'line 2 is not a valid row'),
        (b'path,labels\na.jpg,dog\nb.jpg,\xff', 'line 3 is not UTF-8 text'),
        ('path,labels\na.jpg,', 'there is no label in it'),
        ('path,labels\n', 'there is no label in it'),
    ],
)
def test_bad_table(write, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        CsvMultiLabel(**write(content))
    assert 't.csv' in str(caught.value)


def test_header_alone(write):
    with pytest.raises(ValueError, match=r't\.csv: no image is left of 0'):
        CsvMultiLabel(**write('path,labels\n'), metainfo=dict(classes=['dog']))


def test_unknown_class(write):
    with pytest.raises(ValueError, match=r"t\.csv: line 4: the labels \['zebra'\] are not among"):
        CsvMultiLabel(**write(GOOD), metainfo=dict(classes=['dog', 'cat']))


@pytest.mark.parametrize('name', ['', 'a;b', 'a|b', ' a'])
def test_class_that_no_cell_can_hold(write, name):
    with pytest.raises(ValueError, match='classes of a table must not be empty'):
        CsvMultiLabel(**write(GOOD), metainfo=dict(classes=['dog', 'cat', 'zebra', name]))


def test_file_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.csv: no such table; check'):
        CsvMultiLabel(ann_file='none.csv', data_root=str(tmp_path))
