from collections.abc import Callable

import numpy as np
import pytest
import torch
from mmpretrain.models import RandomBatchAugment
from torch import Tensor

from mmmsf.models.mixing import MaskedMixing

AUGMENTS = {
    'mixup': dict(type='Mixup', alpha=0.8),
    'cutmix': dict(type='CutMix', alpha=1.0),
    'resizemix': dict(type='ResizeMix', alpha=1.0),
}


def seeded(augment: Callable, inputs: Tensor, target: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    np.random.seed(seed)
    torch.manual_seed(seed)
    return augment(inputs.clone(), target.clone())


def shares(augment: Callable, inputs: Tensor, seed: int) -> np.ndarray:
    """Share of each image j in each mixture i: mixed one-hot targets (B, B)."""
    return seeded(augment, inputs, torch.eye(len(inputs)), seed)[1].numpy()


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('name', AUGMENTS)
def test_equals_a_loop_over_the_mixed_images(name: str, seed: int) -> None:
    augment = RandomBatchAugment(AUGMENTS[name])
    inputs = torch.rand(12, 3, 16, 16)
    target = torch.from_numpy(np.random.default_rng(seed).integers(-1, 2, (12, 4))).float()
    mixed_inputs, mixed = seeded(MaskedMixing(augment), inputs, target, seed)
    share = shares(augment, inputs, seed)
    for i in range(12):
        for k in range(4):
            parts = [(share[i, j], target[j, k].item()) for j in range(12) if share[i, j] > 0]
            unknown = any(y == -1 for _, y in parts)
            expected = -1 if unknown else sum(part * y for part, y in parts)
            assert mixed[i, k].item() == pytest.approx(expected, abs=1e-6)
    assert (mixed == -1).any() and ((mixed > 0) & (mixed < 1)).any()
    torch.testing.assert_close(mixed_inputs, seeded(augment, inputs, target, seed)[0])


@pytest.mark.parametrize('name', AUGMENTS)
def test_known_targets_mix_as_without_it(name: str) -> None:
    augment = RandomBatchAugment(AUGMENTS[name])
    inputs, target = torch.rand(6, 3, 16, 16), torch.randint(0, 2, (6, 4))
    expected = seeded(augment, inputs, target, 0)
    got = seeded(MaskedMixing(augment), inputs, target, 0)
    torch.testing.assert_close(got, expected)


def test_an_augmentation_may_leave_the_batch_as_it_is() -> None:
    target = torch.tensor([[1, 0], [-1, 1]])
    mixing = MaskedMixing(RandomBatchAugment([AUGMENTS['mixup']], probs=[0.0]))
    _, mixed = mixing(torch.rand(2, 3, 4, 4), target)
    assert mixed.tolist() == target.tolist() and mixed.dtype == torch.float32


def test_an_augmentation_bound_to_a_number_of_classes_is_refused() -> None:
    mixing = MaskedMixing(lambda inputs, target: (inputs, target[:, :2]))
    with pytest.raises(ValueError, match=r'\(2, 4\), got \(2, 2\)'):
        mixing(torch.rand(2, 3, 4, 4), torch.zeros(2, 2))
