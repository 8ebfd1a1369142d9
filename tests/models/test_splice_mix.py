import pytest
import torch
from mmpretrain.models import RandomBatchAugment

from mmmsf.models.mixing import MaskedMixing
from mmmsf.models.splice_mix import SpliceMix, unite_targets


def colours(count: int, side: tuple[int, int] = (8, 12)) -> torch.Tensor:
    """Images of one colour each, their number."""
    return torch.arange(count).float()[:, None, None, None].expand(count, 3, *side)


@pytest.mark.parametrize('grid', [(2, 2), (1, 3), (3, 2)])
def test_a_grid_shows_the_images_whose_labels_it_has(grid: tuple[int, int]) -> None:
    torch.manual_seed(0)
    rows, columns = grid
    images, target = SpliceMix(0.25, grid)(colours(16), torch.eye(16))
    images = images.round()
    mixed = [i for i in range(16) if not (images[i] == i).all()]
    assert len(mixed) == 4
    for i in range(16):
        shown = set(images[i].unique().int().tolist())
        assert set(target[i].nonzero().flatten().tolist()) == shown
        assert len(shown) == 1 or i in mixed
    assert len(images[mixed[0]].unique()) <= rows * columns


def test_odd_sizes_are_filled() -> None:
    images, _ = SpliceMix(1.0, (2, 3))(torch.ones(4, 3, 7, 11), torch.ones(4, 2))
    torch.testing.assert_close(images, torch.ones(4, 3, 7, 11))


@pytest.mark.parametrize(
    'parts, union',
    [
        ((1, 0), 1),
        ((0, 0), 0),
        ((1, -1), 1),
        ((0, -1), -1),
        ((-1, -1), -1),
        ((0.3, 0.6), 0.6),
        ((0.6, -1), -1),
    ],
)
def test_union(parts: tuple[float, float], union: float) -> None:
    assert unite_targets(torch.tensor(parts)[:, None]).item() == pytest.approx(union)


def test_unknown_targets_unite_the_same_in_a_training() -> None:
    """The training hook wraps batch augmentations, which must not make a shown class unknown."""
    target = torch.randint(-1, 2, (12, 5), generator=torch.Generator().manual_seed(1))
    augment = RandomBatchAugment(dict(type='mmmsf.SpliceMix', ratio=1.0))
    results = []
    for call in (augment, MaskedMixing(augment)):
        torch.manual_seed(3)
        results.append(call(colours(12), target)[1])
    assert torch.equal(*results)
    assert {-1.0, 0.0, 1.0} == set(results[0].flatten().tolist())


def test_inputs_stay_and_seeds_repeat() -> None:
    images, target = colours(8).clone(), torch.eye(8)
    torch.manual_seed(5)
    one = SpliceMix(0.5)(images, target)
    torch.manual_seed(5)
    other = SpliceMix(0.5)(images, target)
    assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])
    assert torch.equal(images, colours(8)) and torch.equal(target, torch.eye(8))


@pytest.mark.parametrize('options', [dict(ratio=0), dict(ratio=1.5), dict(grid=(1, 1))])
def test_arguments(options: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        SpliceMix(**options)


def test_images_smaller_than_the_grid() -> None:
    with pytest.raises(ValueError, match='1 x 4 px'):
        SpliceMix()(torch.ones(2, 3, 1, 4), torch.ones(2, 1))
