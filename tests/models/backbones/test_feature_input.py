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


@pytest.mark.parametrize('shapes', [[], [(2, 3)], [(2, 0, 3)]])
def test_shapes_are_checked(shapes: list) -> None:
    with pytest.raises(ValueError, match='`map_shapes` must hold'):
        FeatureInput(shapes)
