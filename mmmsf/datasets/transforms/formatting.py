"""From the image (H, W, 3) of the pipeline to the tensor (3, H, W) of the network."""

from typing import Any

import cv2
import numpy as np
import torch
from mmpretrain.datasets.transforms import formatting as framework

from mmmsf.registry import TRANSFORMS


def split_planes(image: np.ndarray) -> torch.Tensor:
    """A new tensor (3, H, W) from an array (H, W, 3), which cv2 does faster than torch."""
    height, width, channels = image.shape
    planes = np.empty((channels, height, width), dtype=image.dtype)
    cv2.split(np.ascontiguousarray(image), list(planes))  # a flipped image is a view
    return torch.from_numpy(planes)


@TRANSFORMS.register_module()
class PackInputs(framework.PackInputs):
    """MMPretrain's ``PackInputs`` with the same arguments and result, faster on 8-bit colour."""

    @staticmethod
    def format_input(input_: Any) -> Any:
        """Turn an image, or a list of images, into tensors."""
        is_colour = isinstance(input_, np.ndarray) and input_.ndim == 3 and input_.shape[2] == 3
        if is_colour and input_.dtype == np.uint8:
            return split_planes(input_)
        return framework.PackInputs.format_input(input_)
