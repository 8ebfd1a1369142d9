"""Batch augmentation that keeps unknown targets unknown."""

from collections.abc import Callable

import torch
from torch import Tensor

from mmmsf.models.losses.reduction import UNKNOWN

Augment = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class MaskedMixing:
    """Mix images by any batch augmentation; a mixture that an unknown target decides is unknown.

    Linear augmentations such as Mixup, CutMix and ResizeMix would mix the -1 of an unknown target
    into a number: 0.7 * 1 + 0.3 * -1 = 0.4. Here the augmentation mixes the targets (unknown as 0)
    and, as K further classes, the indicators of unknown targets. Where the mixture contains a
    part of an unknown target, it becomes -1, unless it is positive whatever that part is, as in the
    union of labels (:class:`~mmmsf.models.splice_mix.SpliceMix`).

    Args:
        augment: Function of images (B, 3, H, W) and targets (B, any number of classes) that returns
            both mixed, such as MMPretrain's ``RandomBatchAugment``.
    """

    def __init__(self, augment: Augment) -> None:
        self.augment = augment

    def __call__(self, inputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Mix images (B, 3, H, W) and targets (B, K).

        Returns:
            Mixed images, and targets from 0 to 1 or -1, float32 (B, K).

        Raises:
            ValueError: The augmentation changes the shape of the targets.
        """
        unknown = target == UNKNOWN
        known = target.masked_fill(unknown, 0).float()
        inputs, mixed = self.augment(inputs, torch.cat([known, unknown.float()], dim=1))
        if mixed.shape != (len(target), 2 * target.shape[1]):
            raise ValueError(
                'a batch augmentation must accept targets of any number of classes and keep their '
                f'shape, {(len(target), 2 * target.shape[1])}, got {tuple(mixed.shape)}'
            )
        mixed, share = mixed.chunk(2, dim=1)  # (B, K) each
        mixed = mixed.clamp(0, 1)
        return inputs, mixed.masked_fill((share > 0) & (mixed < 1), UNKNOWN)
