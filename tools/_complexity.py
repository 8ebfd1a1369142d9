"""Parameters and floating-point operations of a whole model, attention included."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Complexity:
    """Cost of one image.

    Attributes:
        params: Number of parameters of each part (``backbone``, ``neck``, ``head``).
        flops: Floating-point operations of each part; a multiply-add counts as two.
    """

    params: dict[str, int]
    flops: dict[str, int]

    @property
    def total_params(self) -> int:
        """Number of parameters of the model."""
        return sum(self.params.values())

    @property
    def total_flops(self) -> int:
        """Floating-point operations for one image."""
        return sum(self.flops.values())


def count_operations(run: Callable[[], object]) -> FlopCounterMode:
    """Count the operations of a call, those inside scaled dot-product attention too."""
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH):  # the only backend made of counted products
        run()
    return counter


def count_complexity(model: nn.Module, image_size: Sequence[int]) -> Complexity:
    """Count parameters and operations of one forward pass to the logits.

    Convolutions and matrix products are counted where they are dispatched, those inside scaled
    dot-product attention too (counters that hook modules score them as 0). Additions, norms,
    activations and resizing are not counted.

    Args:
        model: Classifier whose ``forward(images, mode='tensor')`` returns logits.
        image_size: Height and width in pixels.
    """
    height, width = image_size
    training = model.training
    names = [name for name, _ in model.named_children()]
    params = {
        name: sum(p.numel() for p in child.parameters()) for name, child in model.named_children()
    }
    images = torch.zeros(1, 3, height, width, device=next(model.parameters()).device)
    counter = count_operations(lambda: model.eval()(images, mode='tensor'))
    model.train(training)
    counts = counter.get_flop_counts()
    prefix = type(model).__name__
    flops = {name: sum(counts.get(f'{prefix}.{name}', {}).values()) for name in names}
    flops['other'] = counter.get_total_flops() - sum(flops.values())
    return Complexity(
        {name: n for name, n in params.items() if n}, {name: n for name, n in flops.items() if n}
    )


def input_size(cfg: Config) -> tuple[int, int]:
    """Return (height, width) of the model's test images in pixels.

    The size to which the test pipeline resizes or crops; without such a step that of the first
    image.
    """
    dataset = (cfg.get('test_dataloader') or cfg.val_dataloader).dataset
    for transform in dataset.pipeline:
        if transform.type in ('Resize', 'CenterCrop'):
            scale = transform.get('scale') or transform.get('crop_size')
            width, height = (scale, scale) if isinstance(scale, int) else scale
            return height, width
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        image = DATASETS.build(dataset)[0]['inputs']
    return image.shape[-2], image.shape[-1]
