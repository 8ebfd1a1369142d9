"""The VOC layout: labels, difficult objects, sizes and official counts."""

import math
from pathlib import Path

import numpy as np
import pytest

from mmmsf.datasets import VOC_CLASSES, VocMultiLabel
from mmmsf.datasets.readers.image_sets import list_images
from mmmsf.datasets.readers.voc_xml import VocObject, largest_areas
from mmmsf.registry import DATASETS


def xml_object(name, difficult=None, box=(1, 1, 10, 20), more=''):
    tag = '' if difficult is None else f'<difficult>{difficult}</difficult>'
    sides = zip(('xmin', 'ymin', 'xmax', 'ymax'), box or (), strict=False)
    inner = ''.join(f'<{side}>{value}</{side}>' for side, value in sides)
    bndbox = f'<bndbox>{inner}</bndbox>' if box else ''
    return f'<object><name>{name}</name>{tag}{bndbox}{more}</object>'


def xml_file(*objects):
    return f'<annotation><size><width>50</width></size>{"".join(objects)}</annotation>'


GOOD = {
    '000009': xml_file(
        xml_object('dog', 1, (1, 1, 100, 100)),
        xml_object('dog', 0, (5, 1, 14, 10)),
        xml_object('dog', 0, (1, 1, 20, 30)),
        xml_object('person', 1),
    ),
    '000005': xml_file(xml_object('chair'), xml_object('aeroplane', 0, None)),
    '2008_000001': xml_file(),
}


def write_voc(root: Path, files: dict[str, str], split: str = 'train') -> Path:
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for image_id, content in files.items():
        (root / f'Annotations/{image_id}.xml').write_text(content)
        (root / f'JPEGImages/{image_id}.jpg').touch()
    (root / f'ImageSets/Main/{split}.txt').write_text('\n'.join(files) + '\n')
    return root


@pytest.fixture
def root(tmp_path):
    return write_voc(tmp_path / 'VOC2007', GOOD)


def test_labels_sizes_and_order(root):
    data = VocMultiLabel(str(root), 'train')
    assert data.metainfo['classes'] == VOC_CLASSES
    infos = [data.get_data_info(i) for i in range(3)]
    assert [Path(info['img_path']).name for info in infos] == [
        '000009.jpg',
        '000005.jpg',
        '2008_000001.jpg',
    ]
    assert infos[0]['img_path'] == str(root / 'JPEGImages/000009.jpg')
    # dog 11, person 14, aeroplane 0, chair 8
    assert [info['gt_label'] for info in infos] == [[11], [0, 8], []]
    assert infos[0]['gt_area'][11] == 20 * 30  # not the larger, difficult one
    assert infos[1]['gt_area'][8] == 10 * 20
    assert np.isnan(infos[1]['gt_area'][0]) and np.isnan(infos[0]['gt_area'][14])


@pytest.mark.parametrize(
    'policy, target, area',
    [('ignore', -1, math.nan), ('negative', 0, math.nan), ('positive', 1, 200)],
)
def test_class_that_is_only_difficult(root, policy, target, area):
    info = VocMultiLabel(str(root), 'train', difficult=policy).get_data_info(0)
    assert info['gt_score'][14] == target
    np.testing.assert_equal(info['gt_area'][14], np.float32(area))
    assert info['gt_score'][11] == 1 and info['gt_area'][11] == 600
    assert (np.delete(info['gt_score'], [11, 14]) == 0).all()


def test_registered_and_filtered(root):
    data = DATASETS.build(
        dict(
            type='mmmsf.VocMultiLabel',
            data_root=str(root),
            split='train',
            filter_cfg=dict(filter_empty=True),
        )
    )
    assert type(data) is VocMultiLabel and len(data) == 2


def test_own_classes_own_suffix_and_second_column(tmp_path):
    root = write_voc(tmp_path, {'one': xml_file(xml_object(' zebra '), xml_object('ant'))}, 'mine')
    (root / 'JPEGImages/one.jpg').rename(root / 'JPEGImages/one.PNG')
    (root / 'ImageSets/Main/mine.txt').write_text('\ufeffone  -1\n\n', encoding='utf-8')
    data = VocMultiLabel(str(root), 'mine', metainfo=dict(classes=['zebra', 'ant', 'cow']))
    assert data.metainfo['classes'] == ('zebra', 'ant', 'cow')
    assert data.get_data_info(0)['gt_label'] == [0, 1]
    assert data.get_data_info(0)['img_path'].endswith('one.PNG')


def test_a_part_of_the_classes(root, capture_log):
    """Own data: objects of other classes are dropped, counted by images and named."""
    data = VocMultiLabel(str(root), 'train', classes=['chair', 'dog'])
    assert [data.get_data_info(i)['gt_label'] for i in range(3)] == [[1], [0], []]
    assert 'gt_ignore' not in data.get_data_info(0)
    assert any(
        "2 dropped, with their labels: 'aeroplane' (1), 'person' (1)" in x for x in capture_log
    )
    assert [item.name for item in data.objects_of('000009')] == ['dog'] * 3
    filtered = VocMultiLabel(
        str(root), 'train', classes=['chair'], filter_cfg=dict(filter_empty=True)
    )
    assert len(filtered) == 1


def test_merged_and_absent_classes(root):
    """The largest object that is not difficult gives the size, of whatever name it was."""
    names = {'dog': 'animal', 'person': 'animal'}
    data = VocMultiLabel(str(root), 'train', rename_classes=names, drop_absent=True)
    assert data.metainfo['classes'] == ('aeroplane', 'chair', 'animal')
    info = data.get_data_info(0)
    assert info['gt_score'].tolist() == [0, 0, 1] and info['gt_area'][2] == 600
    own = VocMultiLabel(str(root), 'train', rename_classes=names, classes=['animal'])
    assert own.get_gt_labels().tolist() == [[1], [0], [0]]


def test_unknown_name_is_an_error_without_classes(tmp_path):
    files = {'a': xml_file(xml_object('cat')), 'b': xml_file(xml_object('lorry'))}
    root = write_voc(tmp_path, files)
    with pytest.raises(ValueError, match=r"b\.xml: .*\['lorry'\].* classes=\['cat', 'lorry'\]"):
        VocMultiLabel(str(root), 'train')
    data = VocMultiLabel(str(root), 'train', rename_classes=dict(lorry='car'))
    assert data.metainfo['classes'] == VOC_CLASSES
    assert data.get_data_info(1)['gt_label'] == [VOC_CLASSES.index('car')]


def test_split_without_labels(root):
    for path in (root / 'Annotations').iterdir():
        path.unlink()
    data = VocMultiLabel(str(root), 'train', labelled=False)
    assert (data.get_gt_labels() == -1).all() and data.get_gt_labels().shape == (3, 20)
    with pytest.raises(FileNotFoundError, match=r'000009\.xml: no such annotation.*labelled=False'):
        VocMultiLabel(str(root), 'train')


def test_parts_are_not_objects(tmp_path):
    part = '<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>'
    root = write_voc(tmp_path, {'a': xml_file(xml_object('dog', 0, None, part))})
    info = VocMultiLabel(str(root), 'train').get_data_info(0)
    assert info['gt_label'] == [11] and np.isnan(info['gt_area'][11])


def test_a_folder_is_no_image(tmp_path):
    """However it is called; nor does it stand in for one."""
    root = write_voc(tmp_path, {'a': xml_file(xml_object('dog'))})
    (root / 'JPEGImages/a.png').mkdir()
    assert len(VocMultiLabel(str(root), 'train')) == 1
    (root / 'JPEGImages/a.jpg').unlink()
    with pytest.raises(FileNotFoundError, match="1 of 1 ids have no image .* the first is 'a'"):
        VocMultiLabel(str(root), 'train')


def test_known_size_wins_over_unknown():
    boxes = (None, (0, 0, 2, 2), (1, 1, 4, 4), None)
    objects = [VocObject('a', False, box) for box in boxes]
    assert largest_areas(objects) == {'a': 9.0} == largest_areas(objects[::-1])
    assert math.isnan(largest_areas(objects[:1])['a'])


def test_image_missing(root):
    (root / 'JPEGImages/000005.jpg').rename(root / 'JPEGImages/000005.txt')
    with pytest.raises(
        FileNotFoundError,
        match=r'train\.txt: 1 of 3 ids have no image in .*'
        r"JPEGImages, the first is '000005'",
    ):
        VocMultiLabel(str(root), 'train')


def test_image_folder_missing_or_ambiguous(root):
    (root / 'JPEGImages/000005.png').touch()
    with pytest.raises(ValueError, match=r'JPEGImages: 000005\.\w+ and 000005\.\w+ have the same'):
        list_images(str(root / 'JPEGImages'))
    with pytest.raises(FileNotFoundError, match='nowhere: no such image folder'):
        list_images(str(root / 'nowhere'))


def test_box_in_fractions(tmp_path):
    root = write_voc(tmp_path, {'a': xml_file(xml_object('dog', 0, ('45.5', 1, '46', 1)))})
    assert VocMultiLabel(str(root), 'train').get_data_info(0)['gt_area'][11] == 1.5


@pytest.mark.slow
@pytest.mark.parametrize('split, count', [('trainval', 5011), ('test', 4952)])
def test_full_size_voc07(tmp_path, split, count):
    ids = [f'{i:06d}' for i in range(1, count + 1)]
    files = {
        image_id: xml_file(xml_object(VOC_CLASSES[i % 20], i % 2)) for i, image_id in enumerate(ids)
    }
    data = VocMultiLabel(str(write_voc(tmp_path, files, split)), split)
    assert len(data) == count
    targets = data.get_gt_labels()
    assert (targets == 1).sum() == (count + 1) // 2 and (targets == -1).sum() == count // 2
