"""Cutout against MMPretrain's own."""

from typing import Any

import numpy as np
import pytest
from mmpretrain.datasets.transforms import Cutout as SlowCutout

from mmmsf.datasets.transforms import Cutout


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
def test_equals_the_framework(arguments: dict[str, Any], dtype: type) -> None:
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
