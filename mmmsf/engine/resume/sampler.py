"""A training loader with reproducible samples that can start at any batch of an epoch.

Loader workers live for the entire run and draw from generators whose state no checkpoint holds.
Here every sample carries a key, its position in the run, from which the worker seeds its
generators. A sample's augmentation is therefore the same for any number of workers and after a
resume.
"""

from collections.abc import Iterator, Mapping, Sized
from typing import Any, NamedTuple, cast

from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS as ROOT_DATA_SAMPLERS
from mmengine.registry import DATASETS as ROOT_DATASETS
from torch.utils.data import BatchSampler, Sampler

from mmmsf.registry import DATA_SAMPLERS, DATASETS

from .seeding import SAMPLE, seed_generators


class SeededIndex(NamedTuple):
    """Index of a sample and the key of its random numbers."""

    sample: int
    key: tuple[int, ...]


@DATASETS.register_module()
class SeededDataset:
    """Seed the process's generators before a sample is loaded by a :class:`SeededIndex`.

    For a plain index, and in all other respects, it behaves as the wrapped dataset.

    Args:
        dataset: The dataset, or its config.
    """

    def __init__(self, dataset: Any) -> None:
        built = ROOT_DATASETS.build(dataset) if isinstance(dataset, Mapping) else dataset
        self.dataset = built

    def __getattr__(self, name: str) -> Any:
        if name == 'dataset' or name.startswith('__'):  # while being unpickled
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int | SeededIndex) -> Any:
        if isinstance(index, SeededIndex):
            seed_generators(*index.key)
            index = index.sample
        return self.dataset[index]


@DATA_SAMPLERS.register_module()
class SeededBatchSampler(Sampler):
    """Sample batches of :class:`SeededIndex`, starting at any batch of an epoch.

    A sample's key is (seed, epoch, number of the sample in the epoch over all ranks).

    Args:
        sampler: Yields the indices of the samples of this rank.
        batch_size: Samples of a batch.
        drop_last: Drop a last batch that is not full.
        batch_sampler: Config of a batch sampler to use in place of PyTorch's.

    Raises:
        ValueError: ``drop_last`` leaves no batch: this rank has fewer samples than ``batch_size``.
    """

    def __init__(
        self,
        sampler: Sampler,
        batch_size: int,
        drop_last: bool = False,
        batch_sampler: Mapping[str, Any] | None = None,
    ) -> None:
        self.sampler = sampler  # DistSamplerSeedHook looks for it here
        self.batch_size = batch_size
        self.drop_last = drop_last
        self._batches: Any = (
            BatchSampler(sampler, batch_size, drop_last)
            if batch_sampler is None
            else ROOT_DATA_SAMPLERS.build(
                batch_sampler, default_args=dict(sampler=sampler, batch_size=batch_size)
            )
        )
        if not len(self._batches):
            count = len(cast(Sized, sampler))
            raise ValueError(
                f'`drop_last` must be False below a batch a rank: batch_size={batch_size}, '
                f'got {count} samples; set train_dataloader.drop_last=False or a smaller batch_size'
            )
        self._rank, self._world_size = get_dist_info()
        self._seed = self._epoch = self._start = 0

    def set_position(self, seed: int, epoch: int, start: int) -> None:
        """Set seed, epoch and first batch of the next pass."""
        self._seed, self._epoch, self._start = seed, epoch, start

    def __len__(self) -> int:
        """Count the batches of a full epoch."""
        return len(self._batches)

    def __iter__(self) -> Iterator[list[SeededIndex]]:
        seen = 0
        for number, batch in enumerate(self._batches):
            if number >= self._start:
                yield [
                    SeededIndex(index, self._key(place)) for place, index in enumerate(batch, seen)
                ]
            seen += len(batch)

    def _key(self, place: int) -> tuple[int, ...]:
        return SAMPLE, self._epoch, place * self._world_size + self._rank, self._seed


def seeded_loader(loader: Mapping[str, Any]) -> dict[str, Any]:
    """Wrap the dataset and batch sampler of a loader's config in the two classes above."""
    loader = dict(loader)
    batch_sampler = dict(
        type='mmmsf.SeededBatchSampler',
        drop_last=loader.pop('drop_last', False),
        batch_sampler=loader.pop('batch_sampler', None),
    )
    dataset = dict(type='mmmsf.SeededDataset', dataset=loader.pop('dataset'))
    return dict(loader, dataset=dataset, batch_sampler=batch_sampler)
