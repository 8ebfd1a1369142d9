"""The fast RandAugment against MMPretrain's own, pixel by pixel and draw by draw."""

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from mmpretrain.datasets.transforms import RandAugment as SlowRandAugment

from mmmsf.datasets.transforms import RandAugment
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


def test_each_operation_equals_the_framework() -> None:
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
def test_transform_equals_the_framework(image: np.ndarray) -> None:
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


def test_subclass_of_an_operation_takes_its_own_way() -> None:
    op = SlowRandAugment(**ARGUMENTS).transforms[1]
    assert fast_operation(type('Own', (type(op),), {})(), images()[0]) is None
