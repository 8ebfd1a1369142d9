"""Conversion of the authors' released weights ("TBALN") to the names of this package."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

# Start of our name -> start of the released one; the first that fits counts.
STARTS = {
    'backbone.conv1.': 'layer1.0.',
    'backbone.bn1.': 'layer1.1.',
    'backbone.layer1.': 'layer1.4.',  # 2 and 3 are the ReLU and the pooling
    'backbone.': '',
    'neck.convs.large.': 'transform_28.',
    'neck.convs.medium.': 'transform_14.',
    'neck.convs.small.': 'transform_7.',
    'head.position.row_embed': 'positional_embedding.row_embed.weight',
    'head.position.col_embed': 'positional_embedding.col_embed.weight',
    'head.encoders.0.': 'transformer.encoder.',
    'head.decoders.0.': 'transformer.decoder.',
    'head.fc.weight': 'fc.W',
    'head.fc.bias': 'fc.b',
}
PARTS = {'.cross_attn.': '.multihead_attn.', '.ffn.': '.'}
LABELS, GRID = 'head.label_embed', 'head.position.trained_grid'
WRAPPERS = ('state_dict', 'model')


def released_name(name: str) -> str:
    """Return the released name of a parameter of ours.

    Raises:
        KeyError: The released network has no such parameter.
    """
    for ours, theirs in STARTS.items():
        if name.startswith(ours):
            name = theirs + name.removeprefix(ours)
            break
    else:
        raise KeyError(name)
    for ours, theirs in PARTS.items():
        name = name.replace(ours, theirs)
    return name


def unwrap(checkpoint: Any) -> dict[str, Tensor]:
    """Return the weights of a checkpoint, plain or under ``state_dict`` or ``model``.

    The prefix ``module.`` is removed where all names have it.

    Raises:
        ValueError: The checkpoint has no weights, or values that are not tensors.
    """
    for wrapper in WRAPPERS:
        if isinstance(checkpoint, Mapping) and isinstance(checkpoint.get(wrapper), Mapping):
            checkpoint = checkpoint[wrapper]
    if not isinstance(checkpoint, Mapping) or not checkpoint:
        raise ValueError(
            'the checkpoint must be a non-empty mapping of weights, plain or under '
            f'{" or ".join(WRAPPERS)}, got {type(checkpoint).__name__}'
        )
    strange = [str(name) for name, value in checkpoint.items() if not isinstance(value, Tensor)]
    if strange:
        raise ValueError(f'all weights must be tensors, got others under {", ".join(strange)}')
    prefix = 'module.' if all(name.startswith('module.') for name in checkpoint) else ''
    return {name.removeprefix(prefix): value for name, value in checkpoint.items()}


def trained_image_size(checkpoint: Any) -> int | None:
    """Return the side in pixels that a checkpoint names, None where it names none.

    Their training script stores ``arch`` with it, such as ``TBALN-R101-448``; ``args`` may hold it
    as ``img_size``.
    """
    if not isinstance(checkpoint, Mapping):
        return None
    args = checkpoint.get('args')
    size = args.get('img_size') if isinstance(args, Mapping) else None
    if isinstance(size, int):
        return size
    match = re.search(r'-(\d+)$', str(checkpoint.get('arch', '')))
    return int(match[1]) if match else None


def to_float32(released: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Convert floating-point weights to float32.

    Returns:
        The weights, and the other floating-point types that were among them.

    Raises:
        ValueError: A weight is NaN or infinite; the message names them all.
    """
    broken = [name for name, value in released.items() if not torch.isfinite(value).all()]
    if broken:
        raise ValueError(
            f'all weights must be finite, got NaN or infinity in {", ".join(broken)}; convert the '
            'checkpoint of an earlier epoch'
        )
    floating = {name: value for name, value in released.items() if value.is_floating_point()}
    others = {str(value.dtype) for value in floating.values()} - {'torch.float32'}
    return {**released, **{k: value.float() for k, value in floating.items()}}, sorted(others)


def count_classes(released: Mapping[str, Tensor]) -> int:
    """Return the number of classes K of released weights, from ``fc.b`` of shape (1, K).

    Raises:
        ValueError: ``fc.b`` is missing or has another shape.
    """
    bias = released.get('fc.b')
    if bias is None or bias.dim() != 2 or len(bias) != 1:
        got = 'none' if bias is None else tuple(bias.shape)
        raise ValueError(f'`fc.b` must have shape (1, K), got {got}')
    return bias.shape[1]


def branch_grids(image_size: int, num_positions: int = 50) -> list[list[int]]:
    """Return rows and columns of the three maps of a square image, in branch order.

    Args:
        image_size: Side in pixels.
        num_positions: Entries of the position tables; no map may be larger.

    Returns:
        ``[[28, 28], [14, 14], [6, 6]]`` at 448 px: strides 16 and 32, then the
        unpadded 3x3 convolution of stride 2.

    Raises:
        ValueError: A map would be empty or larger than the tables.
    """
    large, medium = -(-image_size // 16), -(-image_size // 32)
    small = (medium - 3) // 2 + 1
    if small < 1 or large > num_positions:
        raise ValueError(
            f'`image_size` must be between 65 and {16 * num_positions}, got {image_size}'
        )
    return [[side, side] for side in (large, medium, small)]


def _sources(name: str, shape: torch.Size) -> dict[str, torch.Size]:
    """Return names and shapes of the released tensors that make up a parameter of ours."""
    if name == LABELS:
        return {f'query_embed_{i + 1}.weight': shape[1:] for i in range(shape[0])}
    source = released_name(name)
    return {source: torch.Size([1, *shape]) if source in ('fc.W', 'fc.b') else shape}


def convert_tbaln(
    released: Mapping[str, Tensor], expected: Mapping[str, torch.Size], image_size: int
) -> dict[str, Tensor]:
    """Rename released weights to those of a model in the authors' profile.

    Args:
        released: Weights as returned by :func:`unwrap`.
        expected: Name and shape of every entry of the model's state dict.
        image_size: Side in pixels of the training images.

    Returns:
        A state dict with exactly the names and shapes of ``expected``.

    Raises:
        ValueError: Weights are missing, left over or of another shape; the message names them
            all.
    """
    wanted = {name: _sources(name, shape) for name, shape in expected.items() if name != GRID}
    shapes = {source: shape for sources in wanted.values() for source, shape in sources.items()}
    faults = [f'missing: {name}' for name in shapes if name not in released]
    faults += [f'left over: {name}' for name in released if name not in shapes]
    faults += [
        f'wrong shape: {name} is {tuple(released[name].shape)}, not {tuple(shape)}'
        for name, shape in shapes.items()
        if name in released and released[name].shape != shape
    ]
    if faults:
        raise ValueError('the checkpoint does not fit the released network:\n' + '\n'.join(faults))
    converted = {}
    for name, sources in wanted.items():
        tensors = [released[source] for source in sources]
        stacked = torch.stack(tensors) if name == LABELS else tensors[0]
        converted[name] = stacked.reshape(expected[name])  # also (1, K, ..) -> (K, ..) of `fc`
    num_positions = expected['head.position.row_embed'][0]
    converted[GRID] = torch.tensor(branch_grids(image_size, num_positions))
    return converted
