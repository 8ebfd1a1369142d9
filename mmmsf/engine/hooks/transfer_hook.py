"""Transfer of a checkpoint to other classes."""

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmmsf.registry import HOOKS
from mmmsf.utils.unwrap import unwrap_model

# Buffers that their modules fill in where a checkpoint lacks them, and drop where they have none.
OPTIONAL = ('neck.scaled', 'head.position.trained_grid')


@HOOKS.register_module()
class TransferHook(Hook):
    """Exclude the weights of the old classes from ``load_from`` and check the others.

    MMEngine loads the weights that fit and only warns of the others. With this hook a run starts
    from every weight of the checkpoint except the excluded ones, which keep their initial values,
    or does not start. Resuming and testing load everything.

    Args:
        exclude: Prefixes of the parameters to leave out. The default covers the parameters that
            ``MSFHead`` has per class: label embeddings, the final linear layer and the pooling.

    Raises:
        ValueError: ``exclude`` is empty or a string; or, while loading, another weight is missing,
            left over or of another shape.
    """

    priority = 'HIGH'  # before the averaging hook copies the loaded weights

    def __init__(
        self, exclude: Sequence[str] = ('head.label_embed', 'head.fc.', 'head.pooling.')
    ) -> None:
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

        def fits(name: str) -> bool:
            if name in own and name in state:
                return own[name].shape == state[name].shape
            return name in OPTIONAL

        wrong = sorted(name for name in own.keys() | state.keys() if not fits(name))
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
