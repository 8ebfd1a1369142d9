"""Records are split into the maps that were flattened."""

import pytest
import torch

from mmmsf.models import FeatureInput


def test_restores_maps() -> None:
    maps = [torch.randn(3, 2, 4, 5), torch.randn(3, 7, 2, 2)]
    backbone = FeatureInput([x.shape[1:] for x in maps])
    found = backbone(torch.cat([x.flatten(1) for x in maps], dim=1))
    assert [torch.equal(a, b) for a, b in zip(found, maps, strict=True)] == [True, True]
    with pytest.raises(ValueError, match=r'shape \(B, 68\) .* got \(1, 67\)'):
        backbone(torch.zeros(1, 67))


def test_whole_images_may_be_larger_than_crops() -> None:
    backbone = FeatureInput([(2, 3, 3)], [(2, 4, 5)])
    assert backbone(torch.zeros(1, 18))[0].shape == (1, 2, 3, 3)
    backbone.eval()
    assert backbone(torch.zeros(1, 40))[0].shape == (1, 2, 4, 5)
    with pytest.raises(ValueError, match=r'\(B, 40\) for eval_shapes=.* got \(1, 18\)'):
        backbone(torch.zeros(1, 18))


@pytest.mark.parametrize('shapes', [[], [(2, 3)], [(2, 0, 3)]])
def test_shapes_are_checked(shapes: list) -> None:
    with pytest.raises(ValueError, match='`map_shapes` must hold'):
        FeatureInput(shapes)
    with pytest.raises(ValueError, match='`eval_shapes` must hold'):
        FeatureInput([(2, 3, 3)], shapes)
