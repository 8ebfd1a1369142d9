import pickle

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from torch.utils.data import BatchSampler, DataLoader

from mmmsf.engine.resume.sampler import (
    SeededBatchSampler,
    SeededDataset,
    SeededIndex,
    seeded_loader,
)


@DATASETS.register_module(force=True)
class Dice:
    """Item i is i and a number from each generator."""

    metainfo = dict(classes=('a', 'b'))

    def __len__(self) -> int:
        return 11

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.tensor([index, np.random.rand(), torch.rand(())])


def make_loader(num_workers: int, **kwargs: object) -> DataLoader:
    loader = dict(
        dataset=dict(type='Dice'),
        sampler=dict(type='DefaultSampler', shuffle=True),
        batch_size=2,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        collate_fn=dict(type='default_collate'),
        **kwargs,
    )
    return Runner.build_dataloader(seeded_loader(loader), seed=3)


def read(loader: DataLoader, epoch: int, start: int = 0, seed: int = 5) -> list[list]:
    """Batches of an epoch, each a list of items."""
    loader.batch_sampler.sampler.set_epoch(epoch)
    loader.batch_sampler.set_position(seed, epoch, start)
    return [batch.tolist() for batch in loader]


def test_samples_do_not_depend_on_workers_or_on_what_was_read_before() -> None:
    alone, two = make_loader(0), make_loader(2)
    epochs = [read(alone, epoch) for epoch in range(3)]
    assert [read(two, epoch) for epoch in range(3)] == epochs
    assert epochs[0] != epochs[1]
    assert read(make_loader(1), 2) == epochs[2]


@pytest.mark.parametrize('num_workers', [0, 2])
def test_starting_in_the_middle_gives_the_rest(num_workers: int) -> None:
    whole = read(make_loader(0), 1)
    loader = make_loader(num_workers)
    assert len(whole) == len(loader) == 6
    for start in (4, 6, 0):
        assert read(loader, 1, start) == whole[start:]
        assert len(loader) == 6


def test_the_samples_before_the_start_are_not_loaded() -> None:
    asked: list[int] = []

    class Watched(Dice):
        def __getitem__(self, index: int) -> torch.Tensor:
            asked.append(index)
            return super().__getitem__(index)

    sampler = SeededBatchSampler(DefaultSampler(Dice(), shuffle=False), 2)
    sampler.set_position(0, 0, 4)
    list(DataLoader(SeededDataset(Watched()), batch_sampler=sampler))
    assert asked == [8, 9, 10]


def test_another_seed_gives_other_augmentations_of_the_same_samples() -> None:
    one, two = (np.concatenate(read(make_loader(0), 0, 0, seed)) for seed in (5, 6))
    assert (one[:, 0] == two[:, 0]).all()
    assert (one[:, 1:] != two[:, 1:]).all()


def test_drop_last_and_a_batch_sampler_of_the_config() -> None:
    assert len(make_loader(0, drop_last=True)) == 5

    loader = make_loader(0, batch_sampler=dict(type=BatchSampler, drop_last=True))
    batches = list(loader.batch_sampler)
    assert len(batches) == len(loader) == 5
    assert [index.key[2] for batch in batches for index in batch] == list(range(10))


def test_dropping_the_only_batch_is_refused() -> None:
    with pytest.raises(ValueError, match='drop_last.*batch_size=12.*got 11 samples'):
        SeededBatchSampler(DefaultSampler(Dice(), shuffle=False), 12, drop_last=True)


def test_keys_number_the_samples_over_all_processes() -> None:
    sampler = SeededBatchSampler(DefaultSampler(Dice(), shuffle=False), 2)
    sampler._rank, sampler._world_size = 1, 4
    sampler.set_position(9, 2, 0)
    assert [index.key[1:] for batch in sampler for index in batch][:3] == [
        (2, 1, 9),
        (2, 5, 9),
        (2, 9, 9),
    ]


def test_the_dataset_is_otherwise_the_one_within() -> None:
    dataset = SeededDataset(Dice())
    assert dataset.metainfo is Dice.metainfo
    assert not hasattr(dataset, 'full_init')
    again = pickle.loads(pickle.dumps(dataset))
    assert len(again) == 11
    keyed = SeededIndex(4, (1, 2))
    assert again[4][0] == 4.0
    assert dataset[keyed].tolist() == again[keyed].tolist() != dataset[4].tolist()
