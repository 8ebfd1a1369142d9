"""Checks that the weights and classes of a checkpoint fit a model and its data."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from mmmsf.datasets.class_names import class_difference
from mmmsf.utils.groups import Group, describe_groups, parse_groups, same_groups

_NAMED = 4  # weights that a message names


def load_weights(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load all weights or raise; position tables of another length are resampled.

    Args:
        model: Model to fill; not usable after an error.
        state: Name -> weight.
        source: Origin of the weights, for the message.

    Raises:
        ValueError: Names the weights that are missing, left over or of another shape.
    """
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        own = model.state_dict()
        shapes = [
            f'{name}: {tuple(value.shape)} in the file, {tuple(own[name].shape)} in the model'
            for name, value in state.items()
            if name in own and value.shape != own[name].shape
        ]
        problems = [
            f'{what}: {", ".join(names[:_NAMED])}{" ..." if len(names) > _NAMED else ""}'
            for what, names in (
                ('missing', sorted(own.keys() - state.keys())),
                ('left over', sorted(state.keys() - own.keys())),
                ('other shape', shapes),
            )
            if names
        ]
        raise ValueError(
            f'the weights of {source} do not fit the config; {"; ".join(problems) or error}'
        ) from error


def _dataset_meta(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return the meta data of the training set, with keys in lower case."""
    return {key.lower(): value for key, value in (meta.get('dataset_meta') or {}).items()}


def checkpoint_classes(meta: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Read the class names in a checkpoint's meta data; None where it has none."""
    names = _dataset_meta(meta).get('classes')
    return None if names is None else tuple(map(str, names))


def check_groups(meta: Mapping[str, Any], groups: Sequence[Group], source: str, what: str) -> None:
    """Check that a checkpoint was trained with given groups; one without class names passes.

    Args:
        meta: Meta data of the checkpoint.
        groups: Exclusive groups of a model.
        source: Checkpoint, for the message.
        what: Model, for the message.

    Raises:
        ValueError: The groups differ.
    """
    classes = checkpoint_classes(meta)
    if classes is None:
        return
    trained = parse_groups(_dataset_meta(meta).get('groups'), classes, f'the groups of {source}')
    if not same_groups(trained, groups):
        raise ValueError(
            f'the groups of {source} and of {what} differ: {describe_groups(trained)} and '
            f'{describe_groups(groups)}; set `model.groups` to those of the training'
        )


def check_classes(
    names: Sequence[str] | None, wanted: Sequence[str], source: str, what: str
) -> None:
    """Check that a checkpoint has the classes of the data; one without names passes.

    Args:
        names: K classes of the checkpoint.
        wanted: Classes of the data.
        source: Checkpoint, for the message.
        what: Data, for the message.

    Raises:
        ValueError: The names or their order differ.
    """
    if names is None or tuple(names) == tuple(wanted):
        return
    raise ValueError(
        f'the classes of {source} and of {what} differ: {class_difference(names, wanted)}; '
        'set `metainfo=dict(classes=...)` of the data to those of the checkpoint, in its order'
    )
