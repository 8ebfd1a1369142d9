"""timm networks with frozen parts."""

from collections.abc import Sequence

from mmpretrain.models.backbones import TIMMBackbone
from torch import nn

from mmmsf.registry import MODELS


@MODELS.register_module()
class FrozenTIMMBackbone(TIMMBackbone):
    """A timm network with frozen parts; MMPretrain's ``TIMMBackbone`` has no ``frozen_stages``.

    A frozen part gets no gradient, and its batch norms keep their loaded statistics. If all parts
    from the input on are frozen, they need no backward pass.

    Args:
        frozen: Names of modules of the timm network, such as ``'conv_stem'`` or ``'blocks.0'``.
        **kwargs: Arguments of ``TIMMBackbone``: ``model_name``, ``features_only``,
            ``out_indices``, ...

    Raises:
        ValueError: The timm network has no module of such a name.
    """

    def __init__(self, frozen: Sequence[str] = (), **kwargs: object) -> None:
        super().__init__(**kwargs)
        modules = dict(self.timm_model.named_modules())
        unknown = [name for name in frozen if not name or name not in modules]
        if unknown:
            raise ValueError(
                f'`frozen` must name modules of the timm network, got {unknown}; it '
                f'has {[name for name in modules if name.count(".") <= 1 and name]}'
            )
        self.frozen = tuple(frozen)
        for module in self._frozen_modules():
            module.requires_grad_(False)

    def _frozen_modules(self) -> list[nn.Module]:
        return [self.timm_model.get_submodule(name) for name in self.frozen]

    def train(self, mode: bool = True) -> 'FrozenTIMMBackbone':
        """Set the mode of all parts but the frozen ones, which stay in evaluation mode."""
        super().train(mode)
        for module in self._frozen_modules():
            module.eval()
        return self
