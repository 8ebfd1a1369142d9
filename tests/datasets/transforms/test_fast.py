"""The fast transforms against those of MMCV and MMPretrain: pixel by pixel and draw by draw."""

from typing import Any

import numpy as np
import pytest
from mmcv.transforms import RandomFlip as SlowRandomFlip
from mmengine.registry import init_default_scope
from mmpretrain.datasets.transforms import Cutout as SlowCutout
from mmpretrain.datasets.transforms import PackInputs as SlowPackInputs
from mmpretrain.datasets.transforms import RandAugment as SlowRandAugment
from torch.testing import assert_close

from mmmsf.datasets.transforms import Cutout, PackInputs, RandAugment, RandomFlip
from mmmsf.datasets.transforms.fast import fast_operation

ARGUMENTS = dict(policies='timm_increasing', num_policies=2, magnitude_level=9, magnitude_std=0.5)
FAST = {
    'AutoContrast',
    'Equalize',
    'Posterize',
    'Solarize',
    'SolarizeAdd',
    'Contrast',
    'Brightness',
    'Sharpness',
}


@pytest.fixture(autouse=True)
def scope() -> None:
    init_default_scope('mmpretrain')


def images() -> list[np.ndarray]:
    """Noise, few values, one value, a smooth ramp and a flipped view, (H, W, 3) each."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (37, 53, 3), dtype=np.uint8)
    ramp = np.stack([np.add.outer(np.arange(64), np.arange(80)) + 10 * c for c in range(3)], -1)
    return [
        noise,
        rng.integers(100, 120, (33, 21, 3), dtype=np.uint8),
        np.full((9, 9, 3), 7, dtype=np.uint8),
        ramp.astype(np.uint8),
        noise[:, ::-1],
    ]


def test_each_operation_of_rand_augment() -> None:
    fast = set()
    for op in SlowRandAugment(**ARGUMENTS).transforms:
        for prob in (0.5, 1):
            op.prob = prob
            for image in images():
                for seed in range(12):
                    np.random.seed(seed)
                    found = fast_operation(op, np.ascontiguousarray(image))
                    after = np.random.rand()
                    if found is None:
                        continue
                    fast.add(type(op).__name__)
                    np.random.seed(seed)
                    np.testing.assert_array_equal(found, op({'img': image})['img'])
                    assert found.dtype == np.uint8 and np.random.rand() == after
    assert fast == FAST


@pytest.mark.parametrize(
    'image',
    [*images(), images()[0][..., 0], images()[0].astype(np.float32)],
    ids=['noise', 'few', 'one', 'ramp', 'view', 'grey', 'float'],
)
def test_rand_augment(image: np.ndarray) -> None:
    policies = [
        dict(type='Solarize', magnitude_range=(256, 0)),
        dict(type='Invert'),
        dict(type='Translate', magnitude_range=(0, 0.45)),
    ]
    arguments = (
        ARGUMENTS
        if image.ndim == 3 and image.dtype == np.uint8
        else dict(ARGUMENTS, policies=policies)
    )
    ours, slow, before = RandAugment(**arguments), SlowRandAugment(**arguments), image.copy()
    for seed in range(30):
        np.random.seed(seed)
        found = ours({'img': image, 'other': 1})
        np.random.seed(seed)
        expected = slow({'img': image, 'other': 1})
        np.testing.assert_array_equal(found['img'], expected['img'])
        assert found.keys() == expected.keys() and found['img'].dtype == image.dtype
        np.testing.assert_array_equal(image, before)


def test_fixed_magnitude_is_used() -> None:
    policies = [dict(type='Contrast', magnitude=0.7, prob=1.0)]
    image = images()[0]
    np.random.seed(1)
    found = RandAugment(policies, 1, 9)({'img': image})['img']
    np.random.seed(1)
    expected = SlowRandAugment(policies, 1, 9)({'img': image})['img']
    np.testing.assert_array_equal(found, expected)
    assert (found != image).any()


def test_subclass_of_an_operation_is_not_replaced() -> None:
    op = SlowRandAugment(**ARGUMENTS).transforms[1]
    assert fast_operation(type('Own', (type(op),), {})(), images()[0]) is None


@pytest.mark.parametrize(
    'arguments',
    [
        dict(shape=16, pad_val=(104, 116, 124)),
        dict(shape=(7, 60)),
        dict(shape=9, pad_val=3),
        dict(magnitude_range=(2, 40), magnitude_level=5, magnitude_std=2.0),
    ],
)
@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_cutout(arguments: dict[str, Any], dtype: type) -> None:
    image = np.random.default_rng(0).integers(0, 256, (31, 45, 3)).astype(dtype)
    before, ours, slow = image.copy(), Cutout(**arguments), SlowCutout(**arguments)
    changed = 0
    for seed in range(40):
        np.random.seed(seed)
        found = ours({'img': image})['img']
        after = np.random.rand()
        np.random.seed(seed)
        np.testing.assert_array_equal(found, slow({'img': image})['img'])
        assert np.random.rand() == after and found.dtype == dtype
        np.testing.assert_array_equal(image, before)
        changed += (found != image).any()
    assert 5 < changed < 35


@pytest.mark.parametrize(
    'arguments',
    [
        dict(prob=0.5),
        dict(prob=0.5, direction='vertical'),
        dict(prob=[0.3, 0.3, 0.3], direction=['horizontal', 'vertical', 'diagonal']),
    ],
)
@pytest.mark.parametrize('shape', [(31, 45, 3), (31, 45), (31, 45, 4)])
def test_flip(arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    before, ours, slow = image.copy(), RandomFlip(**arguments), SlowRandomFlip(**arguments)
    flipped = 0
    for seed in range(20):
        np.random.seed(seed)
        found = ours({'img': image})
        np.random.seed(seed)
        expected = slow({'img': image})
        np.testing.assert_array_equal(found['img'], expected['img'])
        assert found.keys() == expected.keys() and found['flip'] == expected['flip']
        assert found['img'].flags.c_contiguous
        np.testing.assert_array_equal(image, before)
        flipped += found['flip']
    assert flipped > 3


def test_float_image_is_flipped_too() -> None:
    image = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    np.testing.assert_array_equal(RandomFlip(prob=1.0)({'img': image})['img'], image[:, ::-1])


COLOUR = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    'image',
    [
        COLOUR,
        COLOUR[:, ::-1],
        COLOUR[..., 0],
        COLOUR[..., :2],
        COLOUR.astype(np.float32),
        [COLOUR, COLOUR[::-1]],
    ],
    ids=['colour', 'view', 'grey', 'two', 'float', 'list'],
)
def test_packing(image: np.ndarray) -> None:
    results = dict(img=image, gt_label=[1, 2], gt_area=np.ones(3), img_path='a.jpg')
    found = PackInputs(algorithm_keys=('gt_area',))(results)
    expected = SlowPackInputs(algorithm_keys=('gt_area',))(results)
    assert_close(found['inputs'], expected['inputs'], rtol=0, atol=0)
    assert found['data_samples'].keys() == expected['data_samples'].keys()
    assert found['data_samples'].img_path == 'a.jpg'


def test_tensor_shares_no_memory_with_the_image() -> None:
    image = COLOUR.copy()
    tensor = PackInputs()({'img': image})['inputs']
    image.fill(0)
    assert tensor.is_contiguous() and tensor.sum() > 0
