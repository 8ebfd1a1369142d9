"""Batch augmentation by grids of small images."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmmsf.models.losses.reduction import UNKNOWN
from mmmsf.registry import BATCH_AUGMENTS


def unite_targets(target: Tensor) -> Tensor:
    """Unite the targets of images that are shown together.

    Args:
        target: Targets (..., n, K) of n images, 0 to 1 or -1 for unknown.

    Returns:
        (..., K): the largest target; unknown where one of them is and none is 1.
    """
    largest = target.amax(dim=-2)
    unknown = (target == UNKNOWN).any(dim=-2) & (largest < 1)
    return largest.masked_fill(unknown, UNKNOWN)


@BATCH_AUGMENTS.register_module()
class SpliceMix:
    """Replace a part of each batch by grids of images of the batch, drawn at random, scaled down.

    A grid has the labels of all its images. So objects appear smaller, beside classes that they
    rarely meet, and no object is cut. Source: Wang et al., "SpliceMix: A Cross-scale and Semantic
    Blending Augmentation Strategy for Multi-label Image Classification", arXiv:2311.15200. Not from
    there: grids take the place of images, so that the batch keeps its size, and have one shape.

    Args:
        ratio: Share of the batch that becomes grids, above 0 and at most 1.
        grid: Rows and columns of a grid.

    Raises:
        ValueError: An argument is outside the values above.
    """

    def __init__(self, ratio: float = 0.25, grid: tuple[int, int] = (2, 2)) -> None:
        if not 0 < ratio <= 1:
            raise ValueError(f'`ratio` must be above 0 and at most 1, got {ratio}')
        if len(grid) != 2 or min(grid) < 1 or tuple(grid) == (1, 1):
            raise ValueError(f'`grid` must be rows and columns of two cells or more, got {grid}')
        self.ratio = ratio
        self.grid = tuple(grid)

    def __call__(self, inputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Mix images (B, C, H, W) and targets (B, K).

        Returns:
            Images of the same shape and targets, float32 (B, K); the inputs are not changed.

        Raises:
            ValueError: The images are smaller than the grid.
        """
        B, _, H, W = inputs.shape
        rows, columns = self.grid
        if rows > H or columns > W:
            raise ValueError(
                f'images of {H} x {W} px are smaller than a grid of {rows} x {columns}'
            )
        count = round(self.ratio * B)
        places = torch.randperm(B)[:count]
        chosen = torch.stack([torch.randperm(B) for _ in range(rows * columns)])[:, :count]
        result, mixed = inputs.clone(), target.float().clone()
        tops = [H * i // rows for i in range(rows + 1)]
        lefts = [W * i // columns for i in range(columns + 1)]
        for cell, images in enumerate(chosen):
            top, bottom = tops[cell // columns : cell // columns + 2]
            left, right = lefts[cell % columns : cell % columns + 2]
            size = (bottom - top, right - left)
            small = F.interpolate(inputs[images], size, mode='bilinear', antialias=True)
            result[places, :, top:bottom, left:right] = small
        mixed[places] = unite_targets(target.float()[chosen.T])
        return result, mixed
