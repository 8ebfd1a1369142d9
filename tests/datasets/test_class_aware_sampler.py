import contextlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmmsf.datasets import ClassAwareSampler
from mmmsf.datasets import class_aware_sampler as module
from tests.helpers import small_run

# Class 0 in all images but the last two, class 1 in three, class 2 in one, class 4 in none.
LABELS = [[0] for _ in range(20)] + [[0, 1], [0, 1], [1], [0, 2], [], []]


class Data:
    """Images with the labels above."""

    def __init__(self, labels: list[list[int]] = LABELS) -> None:
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def get_cat_ids(self, index: int) -> list[int]:
        return self.labels[index]


def epoch(epoch: int = 0, **kwargs: Any) -> list[int]:
    sampler = ClassAwareSampler(Data(), seed=3, **kwargs)
    sampler.set_epoch(epoch)
    assert len(list(sampler)) == len(sampler)
    return list(sampler)


@pytest.mark.parametrize('count', [1, 2, 7, 24, 500])
def test_classes_and_their_images_are_drawn_equally_often(count: int) -> None:
    images = [torch.arange(0, 10), torch.arange(100, 103), torch.tensor([200])]
    drawn = module.draw_by_class(images, count, torch.Generator().manual_seed(1)).tolist()
    assert len(drawn) == count
    by_class = Counter(index // 100 for index in drawn)
    assert max(by_class[k] for k in range(3)) - min(by_class[k] for k in range(3)) <= 1
    for own in images:
        times = Counter(index for index in drawn if index in own)
        assert max(times[i] for i in own.tolist()) - min(times[i] for i in own.tolist()) <= 1


def test_an_epoch_has_both_parts() -> None:
    drawn = Counter(epoch(ratio=0.5))
    assert sum(drawn.values()) == len(LABELS)
    # 13 draws by class: 4 or 5 of the only image of class 2, at most one more by chance
    assert 4 <= drawn[23] <= 6
    everything = Counter(epoch(ratio=1.0))
    assert everything[24] + everything[25] == 0, 'drawn by class, but without a label'
    assert everything[23] in (8, 9)


def test_the_order_depends_on_seed_and_epoch_only() -> None:
    assert epoch(0) == epoch(0)
    assert epoch(0) != epoch(1)
    assert sorted(epoch(0)) != sorted(epoch(1)), 'other images of the frequent class'


class Record(Hook):
    """Record the first number of each sample, which names it."""

    def __init__(self) -> None:
        self.seen: list[list[float]] = []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self.seen.append(data_batch.flatten().tolist())


def test_a_resumed_run_continues_with_the_same_samples(tmp_path: Path) -> None:
    sampler = dict(type='mmmsf.ClassAwareSampler', ratio=0.7)
    loader = dict(small_run.loader(), sampler=sampler)
    checkpoint = dict(interval=1, by_epoch=False)

    def train(folder: Path, *hooks: Hook, **kwargs: Any) -> list[list[float]]:
        record = Record()
        with contextlib.suppress(small_run.StopError):
            small_run.make_runner(
                folder, checkpoint, [record, *hooks], train_dataloader=loader, **kwargs
            ).train()
        return record.seen

    whole = train(tmp_path / 'whole')
    train(tmp_path / 'cut', small_run.StopHook('step', 9))
    resumed = train(tmp_path / 'cut', resume=True, load_from=str(tmp_path / 'cut' / 'iter_8.pth'))
    assert len(whole) == 12
    assert resumed == whole[8:]
    assert len({sample[0] for sample in whole[:6]}) > 1


@pytest.mark.parametrize('world_size', [2, 3, 5])
def test_ranks_share_one_order(monkeypatch: pytest.MonkeyPatch, world_size: int) -> None:
    whole = epoch()
    parts = []
    for rank in range(world_size):
        monkeypatch.setattr(
            'mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, world_size)
        )
        parts.append(epoch())
    assert len({len(part) for part in parts}) == 1
    merged = [index for group in zip(*parts, strict=True) for index in group]
    assert merged[: len(whole)] == whole
    assert merged[len(whole) :] == whole[: len(merged) - len(whole)]


def test_the_numbers_are_logged(capture_log: list[str]) -> None:
    ClassAwareSampler(Data(), seed=0)
    (line,) = [line for line in capture_log if 'ClassAwareSampler' in line]
    assert '13 of 26 images of an epoch are drawn by class, 4.3 for each of 3 classes' in line
    assert 'the 1 images of the rarest are drawn 4.33 times each' in line
    assert '2 without a label never' in line


@pytest.mark.parametrize(
    ('dataset', 'ratio', 'message'),
    [
        (Data(), 0.0, '`ratio` must be above 0 and at most 1, got 0.0'),
        (Data(), 1.5, '`ratio` must be .* got 1.5'),
        (Data([[], []]), 0.5, 'must have labels, but none of 2 images has one'),
        ([1, 2], 0.5, r'must have `get_cat_ids\(index\)`, got list'),
    ],
)
def test_wrong_arguments(dataset: Any, ratio: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClassAwareSampler(dataset, ratio, seed=0)


def test_the_order_is_always_random() -> None:
    ClassAwareSampler(Data(), seed=0, shuffle=True)
    with pytest.raises(ValueError, match='`shuffle` must be True, got False'):
        ClassAwareSampler(Data(), seed=0, shuffle=False)
