"""Cutout that fills the hole and copies the image once."""

import numpy as np
from mmpretrain.datasets.transforms import auto_augment as framework

from mmmsf.registry import TRANSFORMS


@TRANSFORMS.register_module()
class Cutout(framework.Cutout):
    """MMPretrain's ``Cutout`` (DeVries and Taylor, 2017), faster.

    It takes the same arguments, draws the same random numbers and makes the same pixels; MMCV's
    function builds the fill as an image of its own.
    """

    def transform(self, results: dict) -> dict:
        """Fill one rectangle of ``img``; the array that came in stays as it is."""
        if self.random_disable():
            return results
        shape = int(self.random_magnitude()) if self.shape is None else self.shape
        height, width = (shape, shape) if isinstance(shape, int) else shape
        image = results['img'].copy()
        top = int(max(0, np.random.uniform(image.shape[0]) - height / 2))
        left = int(max(0, np.random.uniform(image.shape[1]) - width / 2))
        hole = image[top:top + height, left:left + width]
        if isinstance(self.pad_val, tuple):
            for channel, value in enumerate(self.pad_val):  # one value at a time fills fast
                hole[..., channel] = value
        else:
            hole[...] = self.pad_val
        return {**results, 'img': image}
