"""A dataset of features: the labels of the images, views drawn at random, any subset."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmmsf.datasets import CachedFeatures
from mmmsf.datasets.cached_features import file_sizes, image_names
from mmmsf.datasets.readers.feature_store import FeatureIndex, write_records
from mmmsf.engine.resume.sampler import SeededDataset, SeededIndex
from tests.helpers.small_data import build_dataset, make_coco

PIPELINE = [
    dict(type='mmmsf.LoadImage'),
    dict(type='Resize', scale=(20, 10)),
    dict(type='PackInputs', algorithm_keys=('gt_area',)),
]
VIEWS = 4


@pytest.fixture
def images(tmp_path: Path) -> Any:
    make_coco(tmp_path, 'val', tuple('abcde'))
    return build_dataset('coco', tmp_path, pipeline=PIPELINE, test_mode=True)


@pytest.fixture
def folder(tmp_path: Path, images: Any) -> str:
    """Records of 2 + 3 values: 100 * image + 10 * view + column."""
    records = np.add.outer(np.add.outer(100 * np.arange(4), 10 * np.arange(VIEWS)), np.arange(5))
    index = FeatureIndex(
        names=image_names(images),
        shapes=[((48, 80), (10, 20))] * 4,
        map_names=['3', 'final'],
        map_shapes=[(2, 1, 1), (1, 3, 1)],
        views=VIEWS,
        source={},
        weights={},
        file_sizes=file_sizes(images),
        digest='',
    )
    records = records.reshape(-1, 5)
    digest = write_records(tmp_path / 'f', index.record_shape, [records], 'float32')
    replace(index, digest=digest).save(tmp_path / 'f')
    return str(tmp_path / 'f')


def test_labels_and_shapes_are_those_of_the_images(images: Any, folder: str) -> None:
    features = CachedFeatures(images, folder)
    assert len(features) == len(images) and features.metainfo == images.metainfo
    for i in range(len(images)):
        one, two = features[i]['data_samples'], images[i]['data_samples']
        for key in ('gt_label', 'gt_score', 'gt_area'):
            torch.testing.assert_close(one.get(key), two.get(key), equal_nan=True)
        for key in ('ori_shape', 'img_shape', 'img_path', 'sample_idx'):
            assert one.get(key) == two.get(key), key
        view = (features[i]['inputs'][0] - 100 * i) // 10
        assert view in range(VIEWS)


def test_chosen_maps_in_the_chosen_order(images: Any, folder: str) -> None:
    record = CachedFeatures(images, folder, maps=['final', '3'])[2]['inputs']
    assert (record % 10).tolist() == [2, 3, 4, 0, 1]
    assert CachedFeatures(images, folder, maps=['3'])[2]['inputs'].shape == (2,)


def test_views_follow_the_seed_of_the_sample(images: Any, folder: str) -> None:
    seeded = SeededDataset(CachedFeatures(images, folder))
    first = [float(seeded[SeededIndex(0, (0, k))]['inputs'][0]) for k in range(400)]
    assert first == [float(seeded[SeededIndex(0, (0, k))]['inputs'][0]) for k in range(400)]
    counts = np.bincount(np.array(first, int) // 10, minlength=VIEWS)
    assert counts.min() > 60 and len(counts) == VIEWS  # 100 each, deviation 8.7


def test_part_of_the_images(tmp_path: Path, images: Any, folder: str) -> None:
    part = build_dataset('coco', tmp_path, pipeline=PIPELINE, test_mode=True, indices=[3, 1])
    features = CachedFeatures(part, folder)
    assert [int(x['inputs'][0] // 100) for x in (features[0], features[1])] == [3, 1]


def test_a_file_of_another_size_is_refused(images: Any, folder: str) -> None:
    path = Path(images.get_data_info(2)['img_path'])
    path.write_bytes(path.read_bytes() + b'0')
    with pytest.raises(ValueError, match=rf'the features of {path.name} are those of a file of'):
        CachedFeatures(images, folder)
    path.unlink()  # the images are not needed
    CachedFeatures(images, folder)


def test_refusals(tmp_path: Path, images: Any, folder: str) -> None:
    make_coco(tmp_path / 'other', 'train', tuple('abcde'))
    other = build_dataset(
        'coco',
        tmp_path / 'other',
        pipeline=PIPELINE,
        ann_file='annotations/instances_train2014.json',
        data_prefix='train2014',
    )
    with pytest.raises(ValueError, match='4 of 4 images have no features'):
        CachedFeatures(other, folder)
    bare = build_dataset('coco', tmp_path, pipeline=PIPELINE[:2])
    with pytest.raises(ValueError, match='must be PackInputs, got Resize'):
        CachedFeatures(bare, folder)
