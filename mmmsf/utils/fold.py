"""Folding of batch norms into the convolutions before them."""

from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.fusion import fuse_conv_bn_eval

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def _conv_bn_pairs(model: nn.Module, run: Callable[[], object]) -> list[tuple[_ConvNd, _BatchNorm]]:
    """Find the batch norms whose input is the unchanged output of a convolution.

    A pair counts if each of the two is called once in ``run``. The order of registration is no
    evidence: a block may register a convolution and then the norm that precedes it.
    """
    made: dict[int, tuple[Tensor, int, _ConvNd]] = {}  # the tensor is kept, so its id is its own
    calls: Counter[nn.Module] = Counter()
    pairs: list[tuple[_ConvNd, _BatchNorm]] = []

    def after_conv(conv: _ConvNd, args: Any, output: Tensor) -> None:
        calls[conv] += 1
        made[id(output)] = output, output._version, conv

    def before_norm(norm: _BatchNorm, args: tuple[Tensor, ...]) -> None:
        calls[norm] += 1
        found = made.get(id(args[0]))
        if found is not None and found[1] == args[0]._version:  # no in-place operation between
            pairs.append((found[2], norm))

    hooks = [
        module.register_forward_hook(after_conv)
        if isinstance(module, CONVOLUTIONS)
        else module.register_forward_pre_hook(before_norm)
        for module in model.modules()
        if isinstance(module, (*CONVOLUTIONS, _BatchNorm))
    ]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return [
        (conv, norm)
        for conv, norm in pairs
        if calls[conv] == calls[norm] == 1 and norm.running_mean is not None
    ]


def _rest(norm: _BatchNorm) -> nn.Module:
    """Return the part of a norm that follows the normalisation: timm's norms have an activation."""
    parts = [getattr(norm, name, None) for name in ('drop', 'act')]
    found = [part for part in parts if isinstance(part, nn.Module)]
    return nn.Sequential(*found) if found else nn.Identity()


def fold_batch_norms(model: nn.Module, run: Callable[[], object]) -> int:
    """Fold batch norms into convolutions, in place.

    Compare the outputs before and after: a convolution that standardises its weights, or whose
    output is read at a second place, is not recognised.

    Args:
        model: Model in evaluation mode.
        run: Function that runs the model once, on any input.

    Returns:
        Number of folded batch norms.
    """
    pairs = _conv_bn_pairs(model, run)
    new: dict[nn.Module, nn.Module] = {}
    for conv, norm in pairs:
        new[conv] = fuse_conv_bn_eval(cast(nn.Conv2d, conv), norm)
        new[norm] = _rest(norm)
    for module in list(model.modules()):
        for name, child in list(module._modules.items()):
            if child in new:
                setattr(module, name, new[child])
    return len(pairs)
