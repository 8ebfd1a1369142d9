"""Whether weights and classes of a checkpoint belong to a model and its data."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from mmmsf.datasets.base import class_difference

_NAMED = 4  # weights that a message names


def load_weights(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load all weights or raise; position tables of another length are resampled.

    Args:
        model: the model; of no use after an error.
        state: name -> weight.
        source: where they are from, for the message.

    Raises:
        ValueError: names the weights that are missing, left over or of another shape.
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


def checkpoint_classes(meta: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The class names in a checkpoint's meta data, or None where it has none."""
    dataset_meta = {key.lower(): value for key, value in (meta.get('dataset_meta') or {}).items()}
    names = dataset_meta.get('classes')
    return None if names is None else tuple(map(str, names))


def check_classes(
    names: Sequence[str] | None, wanted: Sequence[str], source: str, what: str
) -> None:
    """Refuse a checkpoint of other classes; one that names none passes.

    Args:
        names: K classes of the checkpoint.
        wanted: those of the data.
        source: the checkpoint, for the message.
        what: the data, for the message.

    Raises:
        ValueError: the names or their order differ.
    """
    if names is None or tuple(names) == tuple(wanted):
        return
    raise ValueError(
        f'the classes of {source} and of {what} differ: {class_difference(names, wanted)}'
    )
