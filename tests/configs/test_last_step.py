"""No training step has a single image in a process, where a batch norm has no variance."""

from itertools import pairwise
from unittest import mock

import mmengine.dataset.sampler
import pytest
from mmengine.config import ConfigDict
from mmengine.dataset import DefaultSampler
from torch.utils.data import BatchSampler

from mmmsf.datasets.digits.spec import DigitSpec
from tests.helpers.recipes import NAMES, load_recipe

# Published sizes of the training splits by type and last part of the data root.
SIZES = {
    'coco2014': {'train2014': 82783},
    'VOC2007': {'trainval': 5011},
    'VOC2012': {'train': 5717},
    'scaled_digits': {'train': DigitSpec().train},
}
SMALL = {'voc_mini': 558, 'coco_small': 2249}


def training_size(dataset: ConfigDict) -> int:
    """Return the number of training images of a recipe's data set."""
    for name, size in SMALL.items():
        if name in dataset.data_root:
            return size
    split = dataset.get('split') or dataset.data_prefix['img_path']
    return SIZES[dataset.data_root.rstrip('/').split('/')[-1]][split]


def batch_sizes(num_images: int, batch_size: int, drop_last: bool, world_size: int) -> list[int]:
    """List the images of one process's steps, by the framework's sampler."""
    with mock.patch.object(
        mmengine.dataset.sampler, 'get_dist_info', return_value=(world_size - 1, world_size)
    ):
        sampler = DefaultSampler(range(num_images), shuffle=False)
    return [len(batch) for batch in BatchSampler(sampler, batch_size, drop_last)]


def test_sampler_leaves_a_single_image() -> None:
    """COCO 2014 on 6 processes: 657 x 21 + 1 images each."""
    assert batch_sizes(82783, 21, False, 6) == [21] * 657 + [1]
    assert batch_sizes(82783, 21, True, 6) == [21] * 657


@pytest.mark.parametrize('name', NAMES)
def test_every_step_has_the_whole_batch(name: str) -> None:
    loader = load_recipe(name).train_dataloader
    for world_size in (1, 2, 6, 8):
        sizes = batch_sizes(
            training_size(loader.dataset), loader.batch_size, loader.get('drop_last', False),
            world_size,
        )  # fmt: skip
        assert sizes and min(sizes) > 1, (world_size, sizes[-1])
        assert all(one == other for one, other in pairwise(sizes)), world_size
