"""Flip that leaves a contiguous image."""

import cv2
import numpy as np
from mmcv.transforms import RandomFlip as FrameworkRandomFlip

from mmmsf.registry import TRANSFORMS

AXES = {'horizontal': 1, 'vertical': 0, 'diagonal': -1}


@TRANSFORMS.register_module()
class RandomFlip(FrameworkRandomFlip):
    """MMCV's ``RandomFlip`` with the same arguments, random numbers and pixels.

    MMCV's gives a view with negative strides, which the next transform has to copy value by
    value; cv2 writes the flipped image at the speed of a plain copy.
    """

    def _flip(self, results: dict) -> None:
        image = results['img']
        super()._flip(results)  # boxes and maps too
        if image.dtype == np.uint8:
            results['img'] = cv2.flip(image, AXES[results['flip_direction']])
