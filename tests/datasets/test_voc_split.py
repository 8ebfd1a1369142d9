"""VOC data without lists: XML beside the images or in folders, split once and for all."""

import multiprocessing
import os
from collections import Counter
from pathlib import Path

import pytest

from mmmsf.datasets import VocMultiLabel
from mmmsf.datasets.voc_split import write_split
from mmmsf.registry import DATASETS
from tests.datasets.test_voc import xml_file, xml_object

FAST = dict(serialize_data=False)  # which would collect garbage each time
FLAT = dict(FAST, image_dir='.', ann_dir='.', classes=['cat', 'dog', 'owl'])
SPLIT = dict(FLAT, split_ratio=0.25)


def labels_of(i):
    """Labels of image i of 24: 16 cats, 8 dogs, 2 owls, 4 images without an object."""
    return [
        name
        for name, chosen in [('cat', i < 16), ('dog', 12 <= i < 20), ('owl', i in (0, 23))]
        if chosen
    ]


def write_flat(root: Path, image_dir='.', ann_dir='.', count=24) -> Path:
    """Write what labelImg does: an XML file beside each image, blanks in the names."""
    for folder in (image_dir, ann_dir):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        objects = [xml_object(name, '', ('10.5', 10, 90, 70)) for name in labels_of(i)]
        (root / image_dir / f'street {i:02d}.{"JPG" if i % 2 else "jpg"}').touch()
        path = root / ann_dir / f'street {i:02d}.{"XML" if i % 3 else "xml"}'
        path.write_text(xml_file(*objects).replace('<annotation>', '<annotation verified="yes">'))
    return root


def found(data) -> dict[str, list[str]]:
    """Labels by file name."""
    infos = [data.get_data_info(i) for i in range(len(data))]
    classes = data.metainfo['classes']
    return {os.path.basename(x['img_path']): [classes[k] for k in x['gt_label']] for x in infos}


def lists(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / 'ImageSets/Main').iterdir()}


@pytest.mark.parametrize('folders', [('.', '.'), ('images', 'annotations')])
def test_split_and_later_start(tmp_path, folders, capture_log):
    root = write_flat(tmp_path, *folders)
    options = dict(SPLIT, image_dir=folders[0], ann_dir=folders[1])
    parts = {
        side: DATASETS.build(
            dict(type='mmmsf.VocMultiLabel', data_root=str(root), split=side, **options)
        )
        for side in ('train', 'val')
    }
    train, val = found(parts['train']), found(parts['val'])
    assert (len(train), len(val)) == (18, 6) and not set(train) & set(val)
    assert train | val == {
        f'street {i:02d}.{"JPG" if i % 2 else "jpg"}': labels_of(i) for i in range(24)
    }
    assert Counter(name for own in val.values() for name in own) == dict(cat=4, dog=2, owl=1)
    before = lists(root)
    assert set(before) == {'train.txt', 'val.txt'}
    # neither the order of the calls nor another seed changes what is written
    again = VocMultiLabel(str(root), 'val', **dict(options, split_ratio=0.5), split_seed=7)
    assert found(again) == val and lists(root) == before
    assert any('split_ratio=0.5 and split_seed=7 have no effect' in line for line in capture_log)
    assert found(VocMultiLabel(str(root), 'val', **dict(options, split_ratio=None))) == val


def test_seed_changes_the_split(tmp_path):
    texts = []
    for seed in (0, 0, 1):
        root = write_flat(tmp_path / str(len(texts)))
        VocMultiLabel(str(root), 'val', **SPLIT, split_seed=seed)
        texts.append(lists(root))
    assert texts[0] == texts[1] != texts[2]


def test_split_does_not_depend_on_the_options_of_one_side(tmp_path):
    for name, options in dict(a={}, b=dict(classes=['dog'], difficult='negative')).items():
        VocMultiLabel(str(write_flat(tmp_path / name)), 'train', **dict(SPLIT, **options))
    assert lists(tmp_path / 'a') == lists(tmp_path / 'b')


def test_all_images_without_a_list(tmp_path, capture_log):
    root = write_flat(tmp_path)
    (root / 'street 24.xml').write_text(xml_file())
    data = VocMultiLabel(str(root), None, **FLAT)
    assert len(data) == 24 and not (root / 'ImageSets').exists()
    assert any('1 XML files have no image' in x and 'street 24' in x for x in capture_log)


@pytest.mark.parametrize('policy, count', [('negative', 24), ('drop', 22)])
def test_images_without_xml(tmp_path, policy, count, capture_log):
    root = write_flat(tmp_path)
    for name in ('street 03.xml', 'street 21.xml'):
        (root / name).unlink()
    with pytest.raises(FileNotFoundError, match=r"street 03\.xml: .* 2 of its 24 .*'drop'"):
        VocMultiLabel(str(root), 'val', **SPLIT)
    parts = [VocMultiLabel(str(root), x, **SPLIT, missing_xml=policy) for x in ('train', 'val')]
    assert sum(map(len, parts)) == count
    assert any('2 of 24 images have no XML file' in line for line in capture_log)
    assert not any('in neither list' in line for line in capture_log)


def test_new_images_are_named(tmp_path, capture_log):
    root = write_flat(tmp_path, count=20)
    VocMultiLabel(str(root), 'val', **SPLIT)
    write_flat(tmp_path)
    assert len(VocMultiLabel(str(root), 'val', **SPLIT)) == 5
    (line,) = [line for line in capture_log if 'in neither list' in line]
    assert '4 images' in line and "'street 20.jpg'" in line and 'remove both lists' in line


def test_images_of_the_test_list_stay_out(tmp_path):
    root = write_flat(tmp_path)
    (root / 'ImageSets/Main').mkdir(parents=True)
    (root / 'ImageSets/Main/test.txt').write_text('street 00\nstreet 01\n')
    parts = [found(VocMultiLabel(str(root), x, **SPLIT)) for x in ('train', 'val')]
    assert sum(map(len, parts)) == 22 and not any('street 00.jpg' in part for part in parts)


def test_a_list_is_never_overwritten(tmp_path):
    root = write_flat(tmp_path)
    path = root / 'ImageSets/Main/train.txt'
    path.parent.mkdir(parents=True)
    path.write_text('street 01\n')
    for side in ('train', 'val'):
        with pytest.raises(ValueError, match=r'train\.txt exists, with other images .* remove'):
            VocMultiLabel(str(root), side, **SPLIT)
    assert lists(root) == {'train.txt': b'street 01\n'}


def test_one_list_of_an_interrupted_start_is_completed(tmp_path):
    root = write_flat(tmp_path)
    VocMultiLabel(str(root), 'train', **SPLIT)
    before = lists(root)
    (root / 'ImageSets/Main/val.txt').unlink()
    VocMultiLabel(str(root), 'val', **SPLIT)
    assert lists(root) == before


def test_place_of_the_lists(tmp_path):
    root = write_flat(tmp_path / 'photos')
    (root / 'ImageSets').write_text('a file where the folder should be')
    with pytest.raises(
        OSError, match=r'train\.txt: .* cannot be written \((Not|File) .*; set split_dir'
    ):
        VocMultiLabel(str(root), 'train', **SPLIT)
    for place in (str(tmp_path / 'elsewhere'), '.'):
        assert len(VocMultiLabel(str(root), 'train', **SPLIT, split_dir=place)) == 18
    assert (tmp_path / 'elsewhere/val.txt').read_bytes() == (root / 'val.txt').read_bytes()


def _start(root, barrier, queue, side):
    barrier.wait()
    queue.put((side, sorted(found(VocMultiLabel(root, side, **SPLIT)))))


def test_four_ranks_start_at_once(tmp_path):
    root = write_flat(tmp_path)
    context = multiprocessing.get_context('fork')  # the frameworks are imported already
    barrier, queue = context.Barrier(4), context.Queue()
    ranks = [
        context.Process(target=_start, args=(str(root), barrier, queue, ('train', 'val')[i % 2]))
        for i in range(4)
    ]
    for rank in ranks:
        rank.start()
    results = [queue.get(timeout=60) for _ in ranks]
    for rank in ranks:
        rank.join(60)
    assert set(lists(root)) == {'train.txt', 'val.txt'}
    expected = {x: sorted(found(VocMultiLabel(str(root), x, **SPLIT))) for x in ('train', 'val')}
    assert all(names == expected[side] for side, names in results)


@pytest.mark.parametrize('name', [' a', 'a\nb', 'a 1'])
def test_names_that_cannot_stand_in_a_list(tmp_path, name):
    names = {x: f'{x}.jpg' for x in ('a', 'c', name)}
    with pytest.raises(ValueError, match='rename'):
        write_split(str(tmp_path), names, {x: ['cat'] for x in names}, 0.5, 0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(split='test'), r"split must be one of \['train', 'val'\] .* got 'test'"),
        (dict(split=None), 'split must be one of .* got None'),
        (dict(split_ratio=1.0), 'split_ratio must be a number between 0 and 1, got 1.0'),
        (dict(split_ratio='0.2'), "split_ratio must be .* got '0.2'"),
        (dict(split_ratio=None), r'train\.txt: no such image set; .* set split_ratio'),
        (dict(image_dir='images'), 'images: no such image folder; check data_root and image_dir'),
        (dict(ann_dir='xml'), 'no such annotation; .* check ann_dir'),
    ],
)
def test_options(tmp_path, options, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        VocMultiLabel(str(write_flat(tmp_path)), **dict(SPLIT, split='train') | options)


def test_two_images_can_be_split_and_one_cannot(tmp_path):
    root = write_flat(tmp_path / 'two', count=2)
    assert [len(VocMultiLabel(str(root), x, **SPLIT)) for x in ('train', 'val')] == [1, 1]
    with pytest.raises(ValueError, match='at least two annotated images, got 1'):
        VocMultiLabel(str(write_flat(tmp_path, count=1)), 'train', **SPLIT)
