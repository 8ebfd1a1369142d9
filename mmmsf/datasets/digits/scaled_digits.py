"""Scaled digits: a small multi-label set with objects of very different sizes.

The images are rendered locally from data that scikit-learn ships, so the set needs no download.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.dist import barrier, get_rank, is_distributed

from mmmsf.datasets.coco import CocoMultiLabel
from mmmsf.registry import DATASETS

from .spec import SPLITS, DigitSpec
from .write import write_digits


@DATASETS.register_module()
class ScaledDigits(CocoMultiLabel):
    """Provide images of 1 to ``max_digits`` handwritten digits of many sizes on coloured ground.

    The ten classes are '0' to '9'. The set is rendered on first use under
    ``<data_root>/<size>px_seed<seed>_<hash>``, as PNG files with COCO instances files; the hash
    covers all arguments below except ``split``, so different arguments never share a folder, and
    equal ones give equal bytes. No handwritten digit occurs in both splits. In a distributed run
    rank 0 writes and the other ranks wait for it.

    Args:
        data_root: Folder that holds the sets.
        split: 'train' or 'val'.
        num_images: Images of both splits, ``dict(train=4000, val=1000)`` by default.
        image_size: Side of the square images in pixels.
        min_digit: Smallest side of a digit's square in pixels, 5 or more; its ink is about as
            high and two thirds as wide.
        max_digit: Largest side of a digit's square in pixels.
        max_digits: Largest number of digits in an image.
        size_law: 'uniform' sides, or 'log' for log-uniform ones, with more small digits.
        contrast: 'light' digits on dark ground, or 'both' light on dark and dark on light.
        clutter: Number of faint strokes and blobs behind the digits.
        seed: Seed of the rendering and of the division of the handwriting.
        filter_cfg, pipeline, ...: As in ``MultiLabelData``.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        data_root: str = 'data/scaled_digits',
        split: str = 'train',
        num_images: Mapping[str, int] | None = None,
        image_size: int = 64,
        min_digit: int = 10,
        max_digit: int = 50,
        max_digits: int = 5,
        size_law: str = 'uniform',
        contrast: str = 'light',
        clutter: int = 0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f'split must be one of {list(SPLITS)}, got {split!r}')
        counts = dict(train=4000, val=1000) if num_images is None else dict(num_images)
        if set(counts) != set(SPLITS):
            raise ValueError(f'num_images must have the keys {list(SPLITS)}, got {counts}')
        self.digits_root = os.path.expanduser(data_root)
        self.spec = DigitSpec(
            **counts,
            image_size=image_size,
            min_digit=min_digit,
            max_digit=max_digit,
            max_digits=max_digits,
            size_law=size_law,
            contrast=contrast,
            clutter=clutter,
            seed=seed,
        )
        super().__init__(
            ann_file=f'annotations/instances_{split}.json',
            data_root=os.path.join(self.digits_root, self.spec.folder),
            data_prefix=split,
            **kwargs,
        )

    def load_data_list(self) -> Sequence[dict]:
        """Render the set if it does not exist yet, then read it like any COCO data."""
        if is_distributed():
            try:
                if get_rank() == 0:
                    write_digits(self.digits_root, self.spec)
            finally:
                barrier()
        # A single process, or a node without access to rank 0's disk
        write_digits(self.digits_root, self.spec)
        return super().load_data_list()
