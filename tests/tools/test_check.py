"""Checking a data set: facts of images, counts, duplicates and recognition of benchmarks."""

import json
import re

import cv2
import numpy as np
import pytest
from _check import (
    ImageFacts,
    SplitLabels,
    find_repeats,
    find_shared,
    inspect_image,
    inspect_images,
    summarize_split,
)
from _check_text import MAX_NAMED, format_duplicates, format_summary
from _official import recognize
from mmpretrain.datasets import BaseDataset as MMPretrainDataset

from mmmsf.datasets import COCO_CLASSES, VOC_CLASSES, CocoMultiLabel


@pytest.fixture
def images(tmp_path):
    """Write images and return their paths: good, a copy of it, another, broken, empty, missing."""
    noise = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    good, copy, other, broken, empty, missing = (
        tmp_path / f'{name}.jpg' for name in ('good', 'copy', 'other', 'broken', 'empty', 'gone')
    )
    cv2.imwrite(str(good), noise)
    copy.write_bytes(good.read_bytes())
    cv2.imwrite(str(other), noise[:10, :10])
    broken.write_bytes(good.read_bytes()[:-100])
    empty.touch()
    return [str(path) for path in (good, copy, other, broken, empty, missing)]


def split_of(name, paths, targets, classes=('a', 'b')):
    return SplitLabels(name, classes, tuple(paths), np.array(targets, np.int8))


def test_inspect_image(images):
    facts = [inspect_image(path) for path in images]
    assert [(fact.width, fact.height) for fact in facts] == [(30, 20)] * 2 + [(10, 10)] + [
        (0, 0)
    ] * 3
    assert facts[0].digest == facts[1].digest != facts[2].digest != ''
    assert [bool(fact.fault) for fact in facts] == [False] * 3 + [True] * 3
    for fact, word in zip(facts[3:], ('truncated', 'empty', 'no such file'), strict=True):
        assert fact.path in fact.fault and word in fact.fault
    assert facts[5].digest == ''


@pytest.mark.parametrize('workers', [0, 2])
def test_inspect_images(images, workers):
    calls = []
    facts = inspect_images([*images, images[0]], workers, lambda: calls.append(1))
    assert list(facts) == images and len(calls) == len(images)
    assert facts == {path: inspect_image(path) for path in images}


def test_negative_workers():
    with pytest.raises(ValueError, match='workers must not be negative, got -1'):
        inspect_images([], -1)


def test_summary(images):
    targets = [[1, 1], [0, 0], [0, -1], [1, 0], [-1, -1], [1, -1]]
    summary = summarize_split(split_of('train', images, targets), inspect_images(images))
    assert (summary.num_images, summary.num_unlabelled) == (6, 3)
    np.testing.assert_array_equal(summary.positives, [3, 1])
    np.testing.assert_array_equal(summary.ignored, [1, 3])
    np.testing.assert_array_equal(summary.histogram, [3, 2, 1])
    np.testing.assert_array_equal(summary.sizes, [(10, 10), (30, 20), (30, 20)])
    assert len(summary.faults) == 3
    text = format_summary(summary)
    for part in (
        'train: 6 images, 3 without a label',
        'min 0, mean 0.67, max 2',
        '0: 3, 1: 2, 2: 1',
        'min 10 x 10, median 30 x 20, max 30 x 20',
        '3 images are missing or broken',
        images[5],
        'own data',
        '4 of 12 labels (33.3%) are unknown',
    ):
        assert part in text
    assert [line.split() for line in text.splitlines() if line.startswith('  a ')] == [
        ['a', '3', '1']
    ]


def test_summary_without_a_readable_image(images):
    summary = summarize_split(split_of('val', images[5:], [[0, 1]]), inspect_images(images[5:]))
    text = format_summary(summary)
    assert 'image sizes: unknown' in text and '1 classes are positive in no image: a' in text
    assert 'ignored' not in text and 'unknown or' not in text


def test_labels_of_a_set_without_gt_score():
    """MMPretrain's own data sets give the class indices only."""

    class Indices(MMPretrainDataset):
        METAINFO = dict(classes=('x', 'y', 'z'))

        def load_data_list(self):
            return [dict(img_path='1.jpg', gt_label=[2, 0]), dict(img_path='2.jpg', gt_label=[])]

    labels = SplitLabels.from_dataset('train', Indices(''))
    np.testing.assert_array_equal(labels.targets, [[1, 0, 1], [0, 0, 0]])
    assert labels.classes == ('x', 'y', 'z') and labels.paths == ('1.jpg', '2.jpg')


def test_shared_and_repeated(images):
    facts = inspect_images(images)
    good, copy, other, _, _, missing = images
    assert find_shared([good, other, missing], [copy, missing], facts) == [(good, copy)]
    assert find_shared([good], [good], facts) == [(good, good)]
    assert find_shared([good], [other], facts) == []
    assert find_repeats([good, other, copy, good], facts) == [[good, copy]]
    assert find_repeats([good, other, good, missing], facts) == []


def test_format_duplicates(images):
    facts = inspect_images(images)
    good, copy, other, *_ = images
    train = split_of('train', [good, other], [[1, 0]] * 2)
    val = split_of('val', [copy], [[1, 0]])
    text = format_duplicates([train, val, split_of('test', [copy], [[1, 0]])], facts)
    assert f'1 images are in train and in val:\n  {good} = {copy}' in text
    assert 'val and test are the same images' in text
    assert 'occur under several names' in format_duplicates(
        [split_of('train', [good, copy], [[1, 0]] * 2)], facts
    )
    assert format_duplicates([train], facts) == ''


def test_long_list_of_duplicates_is_cut():
    paths = [f'{i}' for i in range(MAX_NAMED + 3)]
    facts = {path: ImageFacts(path, 1, 1, path) for path in [*paths, 'x']}
    text = format_duplicates(
        [split_of('train', [*paths, 'x'], [[1, 0]]), split_of('val', paths, [[1, 0]])], facts
    )
    assert text.count(' = ') == MAX_NAMED and text.endswith('and 3 more')


@pytest.mark.parametrize(
    'classes, images, unlabelled, start',
    [
        (COCO_CLASSES, 82_783, 702, 'COCO 2014 train: .*so is that of the unlabelled'),
        (COCO_CLASSES, 40_504, 367, 'COCO 2014 val: '),
        (COCO_CLASSES, 82_081, 0, 'COCO 2014 train without its 702 unlabelled'),
        (COCO_CLASSES, 40_137, 0, 'COCO 2014 val without its 367 unlabelled'),
        (COCO_CLASSES, 40_504, 0, 'COCO 2014 val, but with 0 images .* official file has 367'),
        (
            COCO_CLASSES,
            5_011,
            0,
            'the classes of COCO, but 5,011 images is the size of no official',
        ),
        (VOC_CLASSES, 5_011, 3, 'VOC 2007 trainval: the number of images is the official one'),
        (VOC_CLASSES[::-1], 4_952, 0, 'VOC 2007 test: '),
        (VOC_CLASSES, 11_540, 0, 'VOC 2012 trainval: '),
        (VOC_CLASSES, 5_717, 0, 'VOC 2012 train: '),
        (VOC_CLASSES, 5_823, 0, 'VOC 2012 val: '),
        (VOC_CLASSES, 10_991, 10_991, 'VOC 2012 test: '),
        (VOC_CLASSES, 558, 0, 'the classes of VOC, but 558 images .*VOC 2012 val 5,823'),
        (('cat', 'dog'), 5_011, 0, 'own data'),
    ],
)
def test_recognize(classes, images, unlabelled, start):
    assert re.match(start, recognize(classes, images, unlabelled))


@pytest.mark.parametrize(
    'split, total, empty',
    [pytest.param('train', 82_783, 702, marks=pytest.mark.slow), ('val', 40_504, 367)],
)
def test_full_size_coco14(tmp_path, split, total, empty):
    step = total // empty
    without = set(range(0, step * empty, step))  # spread over the file
    labelled = [i for i in range(total) if i not in without]
    content = dict(
        images=[dict(id=i, file_name=f'{i}.jpg') for i in range(total)],
        categories=[dict(id=k + 1, name=name) for k, name in enumerate(COCO_CLASSES)],
        annotations=[dict(id=i, image_id=i, category_id=i % 80 + 1, area=4) for i in labelled],
    )
    (tmp_path / 'full.json').write_text(json.dumps(content))
    kwargs = dict(ann_file='full.json', data_root=str(tmp_path))
    labels = SplitLabels.from_dataset(split, CocoMultiLabel(**kwargs))
    summary = summarize_split(labels, {path: ImageFacts(path) for path in labels.paths})
    assert (summary.num_images - summary.num_unlabelled, summary.num_unlabelled) == (
        total - empty,
        empty,
    )
    assert summary.positives.sum() == total - empty
    assert (
        format_summary(summary)
        .splitlines()[1]
        .startswith(f'  believed to be COCO 2014 {split}: the number of images is the official one')
    )
    assert len(CocoMultiLabel(**kwargs, filter_cfg=dict(filter_empty=True))) == total - empty
