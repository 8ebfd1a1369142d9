"""Softmax of groups as logits of sigmoids."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mmmsf.models.layers.exclusive import ExclusiveGroups
from mmmsf.utils.groups import Group

GROUPS = (
    Group('a', (4, 0, 2), 'one'),
    Group('b', (1, 5), 'at_most_one'),
    Group('c', (7, 9), 'one'),
    Group('d', (10, 8), 'at_most_one'),
)


def test_sigmoids_are_the_softmax_of_each_group() -> None:
    x = torch.randn(4, 11, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 4
    scores = ExclusiveGroups(GROUPS, 11)(x).sigmoid()
    for row, found in zip(x.numpy(), scores.numpy(), strict=True):
        expected = 1 / (1 + np.exp(-row))
        for group in GROUPS:
            weights = [np.exp(row[k]) for k in group.classes]
            total = sum(weights) + (group.rule == 'at_most_one')
            for k, weight in zip(group.classes, weights, strict=True):
                expected[k] = weight / total
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_free_logits_are_kept_to_the_bit_and_a_group_of_one_would_be_a_sigmoid() -> None:
    x = torch.randn(3, 11)
    found = ExclusiveGroups(GROUPS, 11)(x)
    assert torch.equal(found[:, [3, 6]], x[:, [3, 6]])
    alone = ExclusiveGroups([Group('a', (0,), 'at_most_one')], 11)(x)
    assert_close(alone, x)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_extreme_logits_stay_finite_and_half_precision_is_widened(dtype: torch.dtype) -> None:
    x = torch.tensor([[6e4, 6e4, -6e4, 0, 0, -6e4, 0, 6e4, 0, 0, 0]], dtype=dtype)
    found = ExclusiveGroups(GROUPS, 11)(x)
    assert found.dtype == torch.float32 and found.isfinite().all()
    scores = found.sigmoid()[0]
    assert_close(scores[[4, 0, 2]], torch.tensor([0.0, 1.0, 0.0]), atol=1e-6, rtol=0)
    assert_close(scores[[1, 5, 7, 9]], torch.tensor([1.0, 0.0, 1.0, 0.0]), atol=1e-6, rtol=0)


def test_a_class_beyond_the_head_is_refused() -> None:
    with pytest.raises(ValueError, match="10.*'d'"):
        ExclusiveGroups(GROUPS, 10)


def test_nothing_is_added_to_a_checkpoint() -> None:
    assert not ExclusiveGroups(GROUPS, 11).state_dict()
