"""Feature maps as the input of a model, in place of images."""

import math
from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor

from mmmsf.registry import MODELS


def _check_shapes(name: str, shapes: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    found = [tuple(shape) for shape in shapes]
    if not found or any(len(shape) != 3 or min(shape) < 1 for shape in found):
        raise ValueError(f'`{name}` must hold (C, h, w) of every map, positive, got {found}')
    return found


@MODELS.register_module()
class FeatureInput(BaseModule):
    """Split records of ``mmmsf.CachedFeatures`` into the feature maps of the backbone they replace.

    It has no parameters: the model trains neck and head on features computed before.

    Args:
        map_shapes: Shape (C, h, w) of each map, in the order of the record.
        eval_shapes: Shapes in evaluation, where whole images are larger than the crops of the
            training; None for the same.
        init_cfg: Initialization config of MMEngine, without effect.

    Raises:
        ValueError: There is no map, or a shape is not three positive numbers.
    """

    def __init__(
        self,
        map_shapes: Sequence[Sequence[int]],
        eval_shapes: Sequence[Sequence[int]] | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.map_shapes = _check_shapes('map_shapes', map_shapes)
        self.eval_shapes = self.map_shapes
        if eval_shapes is not None:
            self.eval_shapes = _check_shapes('eval_shapes', eval_shapes)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Split records into maps.

        Args:
            x: Records (B, D), D the sum of C * h * w over the maps.

        Returns:
            Maps (B, C, h, w).

        Raises:
            ValueError: The records have another shape.
        """
        if self.training:
            name, shapes = 'map_shapes', self.map_shapes
        else:
            name, shapes = 'eval_shapes', self.eval_shapes
        sizes = [math.prod(shape) for shape in shapes]
        if x.dim() != 2 or x.shape[1] != sum(sizes):
            raise ValueError(
                f'FeatureInput takes records of shape (B, {sum(sizes)}) for {name}={shapes}, '
                f'got {tuple(x.shape)}; name the maps that the dataset reads'
            )
        parts = x.split(sizes, dim=1)
        return tuple(part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True))
