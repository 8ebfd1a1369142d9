"""RandomFlip against MMCV's own."""

from typing import Any

import numpy as np
import pytest
from mmcv.transforms import RandomFlip as SlowRandomFlip

from mmmsf.datasets.transforms import RandomFlip


@pytest.mark.parametrize(
    'arguments',
    [
        dict(prob=0.5),
        dict(prob=0.5, direction='vertical'),
        dict(prob=[0.3, 0.3, 0.3], direction=['horizontal', 'vertical', 'diagonal']),
    ],
)
@pytest.mark.parametrize('shape', [(31, 45, 3), (31, 45), (31, 45, 4)])
def test_equals_the_framework(arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
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
