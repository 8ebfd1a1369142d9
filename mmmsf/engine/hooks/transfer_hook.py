"""Start training from a checkpoint that knows other classes."""

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmmsf.registry import HOOKS
from mmmsf.utils.unwrap import unwrap_model


@HOOKS.register_module()
class TransferHook(Hook):
    """Leave what belongs to the old classes out of ``load_from`` and check the rest.

    MMEngine loads what fits and only warns of what does not. With this hook a run starts from
    every weight of the checkpoint but the named ones, which keep their own initial values, or
    does not start. Resuming and testing load everything.

    Args:
        exclude: parameters to leave out, by the start of their names. The default is what
            ``MSFHead`` keeps per class: label embeddings and the final linear layer.

    Raises:
        ValueError: while loading, if another weight is missing, left over or of another shape.
    """

    priority = 'HIGH'  # before the averaging hook copies what is loaded

    def __init__(self, exclude: Sequence[str] = ('head.label_embed', 'head.fc.')) -> None:
        if isinstance(exclude, str) or not exclude:
            raise ValueError(f'`exclude` must be a non-empty list of names, got {exclude!r}')
        self.exclude = tuple(exclude)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Drop the excluded weights before they are loaded."""
        # Only `Runner.train` turns the config of the training loop into a loop.
        if runner._resume or not isinstance(runner._train_loop, BaseLoop):
            return
        state = checkpoint.get('state_dict', checkpoint)
        dropped = sorted(name for name in state if name.startswith(self.exclude))
        for name in dropped:
            del state[name]
        model = unwrap_model(runner.model)
        own = {
            name: value
            for name, value in model.state_dict().items()
            if not name.startswith(self.exclude)
        }
        wrong = sorted(
            name
            for name in own.keys() | state.keys()
            if name not in own or name not in state or own[name].shape != state[name].shape
        )
        if wrong:
            raise ValueError(
                f'`load_from`: besides {list(self.exclude)}, these weights are missing, left over '
                f'or of another shape: {", ".join(wrong[:6])}{" ..." if len(wrong) > 6 else ""}. '
                'Load a checkpoint of the same network, or name them in `exclude`'
            )
        runner.logger.info(
            f'{len(state)} weights come from the checkpoint; left out: '
            f'{", ".join(dropped) or "none"}'
        )
