"""Sampler that draws the classes of a long-tailed training set equally often."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.dataset import DefaultSampler
from mmengine.logging import print_log
from torch import Generator, Tensor

from mmmsf.registry import DATA_SAMPLERS


def draw_by_class(images: Sequence[Tensor], count: int, generator: Generator) -> Tensor:
    """Draw images class by class, each class and each image of a class equally often.

    Args:
        images: Indices of the images of each class, int64; no class is empty.
        count: Number of draws.
        generator: Source of the order.

    Returns:
        Indices, int64 (count,). The numbers of draws of two classes, and of two images within the
        draws of a class, differ by at most one.
    """

    def cycle(number: int, size: int) -> Tensor:
        """Return ``size`` numbers below ``number`` out of repeated random permutations."""
        turns = -(-size // number)
        return torch.cat([torch.randperm(number, generator=generator) for _ in range(turns)])[:size]

    draws = torch.bincount(cycle(len(images), count), minlength=len(images)).tolist()
    return torch.cat(
        [own[cycle(len(own), size)] for own, size in zip(images, draws, strict=True) if size]
    )


@DATA_SAMPLERS.register_module()
class ClassAwareSampler(DefaultSampler):
    """Draw a part of each epoch by class: first a class, then one of its images.

    So the images of rare classes are seen more often, those without a label less often. An epoch
    has as many images as the dataset. The part drawn by class is as even as can be, and the rest is
    a random part of the dataset without repetition. The order depends on seed and epoch only, thus
    it is the same after a resume and for all ranks, which take every n-th image of it.

    Source: Shen, Lin, Huang, "Relay Backpropagation for Effective Learning of Deep Convolutional
    Neural Networks" (ECCV 2016), for one label an image. ``ratio`` is ours.

    In a config: ``train_dataloader = dict(sampler=dict(type='mmmsf.ClassAwareSampler'))``.

    Args:
        dataset: Dataset with ``get_cat_ids(index)``, the positive classes of an image.
        ratio: Share of the epoch that is drawn by class, above 0 and at most 1.
        seed: Seed of the order, the same for all ranks; None lets the ranks agree on one.
        round_up: As in MMEngine's ``DefaultSampler``.
        shuffle: Only True, for configs that replace the type of another sampler.

    Raises:
        ValueError: ``ratio`` is outside its range, ``shuffle`` is False, the dataset names no
            classes of its images, or no image has a label.
    """

    def __init__(
        self,
        dataset: Any,
        ratio: float = 0.5,
        seed: int | None = None,
        round_up: bool = True,
        shuffle: bool = True,
    ) -> None:
        if not shuffle:
            raise ValueError('`shuffle` must be True, got False: the draws are random')
        if not 0 < ratio <= 1:
            raise ValueError(f'`ratio` must be above 0 and at most 1, got {ratio}')
        if not callable(getattr(dataset, 'get_cat_ids', None)):
            raise ValueError(
                '`dataset` of ClassAwareSampler must have `get_cat_ids(index)`, got '
                f'{type(dataset).__name__}'
            )
        super().__init__(dataset, shuffle=True, seed=seed, round_up=round_up)
        self.ratio = ratio
        images: dict[int, list[int]] = {}
        labelled = 0
        for index in range(len(dataset)):
            labels = set(dataset.get_cat_ids(index))
            labelled += bool(labels)
            for label in labels:
                images.setdefault(label, []).append(index)
        if not images:
            raise ValueError(
                f'`dataset` of ClassAwareSampler must have labels, but none of {len(dataset)} '
                'images has one'
            )
        self.images = [torch.tensor(images[label]) for label in sorted(images)]
        self._report(len(dataset), labelled)

    def _report(self, total: int, labelled: int) -> None:
        """Log the numbers of an epoch."""
        count = round(self.ratio * total)
        sizes = sorted(len(own) for own in self.images)
        each = count / len(sizes)
        print_log(
            f'ClassAwareSampler: {count:,} of {total:,} images of an epoch are drawn by class, '
            f'{each:.1f} for each of {len(sizes):,} classes; the {sizes[0]:,} images of the rarest '
            f'are drawn {each / sizes[0]:.2f} times each, the {sizes[-1]:,} of the most frequent '
            f'{each / sizes[-1]:.3f} times, {total - labelled:,} without a label never',
            logger='current',
        )

    def __iter__(self) -> Iterator[int]:
        """Iterate over the indices of this rank."""
        generator = torch.Generator()
        generator.manual_seed(self.seed + self.epoch)
        total = len(self.dataset)
        count = round(self.ratio * total)
        drawn = draw_by_class(self.images, count, generator)
        others = torch.randperm(total, generator=generator)[: total - count]
        indices = torch.cat([drawn, others])[torch.randperm(total, generator=generator)].tolist()
        rounds = -(-self.total_size // total)
        return iter((indices * rounds)[: self.total_size][self.rank :: self.world_size])
