"""PackInputs against MMPretrain's own."""

import numpy as np
import pytest
from mmpretrain.datasets.transforms import PackInputs as SlowPackInputs
from torch.testing import assert_close

from mmmsf.datasets.transforms import PackInputs

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
def test_equals_the_framework(image: np.ndarray) -> None:
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
