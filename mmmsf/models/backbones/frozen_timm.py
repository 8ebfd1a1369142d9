"""timm networks with frozen parts, and with the map that their classifier reads."""

from collections.abc import Sequence
from typing import Any

from mmpretrain.models.backbones import TIMMBackbone
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmmsf.registry import MODELS


@MODELS.register_module()
class FrozenTIMMBackbone(TIMMBackbone):
    """A timm network with frozen parts; MMPretrain's ``TIMMBackbone`` has no ``frozen_stages``.

    A frozen part gets no gradient, and its batch norms keep their loaded statistics. If all parts
    from the input on are frozen, they need no backward pass.

    timm's ``features_only`` networks end before the layers between the last stage and the pooling
    of the pretrained classifier: the last convolution of EfficientNet and MobileNet
    (``conv_head``), the final norm of ConvNeXt and Swin. ``with_final_map`` keeps them and appends
    the map behind them.

    Args:
        frozen: Names of modules of the timm network, such as ``'conv_stem'`` or ``'blocks.0'``.
        with_final_map: If True, append the map that the pretrained classifier pools. It needs
            ``features_only=True`` and ``out_indices``, which may be empty.
        norm_eval: If True, all batch norms keep their loaded statistics in training, as in
            MMPretrain's ``ResNet``; small batches and sets estimate worse ones.
        **kwargs: Arguments of ``TIMMBackbone``: ``model_name``, ``features_only``,
            ``out_indices``, ...

    Raises:
        ValueError: The timm network has no module of such a name, or ``with_final_map`` is set
            without the arguments that it needs.
    """

    def __init__(
        self,
        frozen: Sequence[str] = (),
        with_final_map: bool = False,
        norm_eval: bool = False,
        **kwargs: Any,
    ) -> None:
        stages = None
        if with_final_map:
            stages = kwargs.pop('out_indices', None)
            if not kwargs.pop('features_only', False) or not isinstance(stages, Sequence):
                raise ValueError(
                    '`with_final_map` needs features_only=True and a list of `out_indices`, '
                    f'got out_indices={stages}'
                )
        super().__init__(**kwargs)
        self.stages = stages if stages is None else list(stages)
        modules = dict(self.timm_model.named_modules())
        unknown = [name for name in frozen if not name or name not in modules]
        if unknown:
            raise ValueError(
                f'`frozen` must name modules of the timm network, got {unknown}; it '
                f'has {[name for name in modules if name.count(".") <= 1 and name]}'
            )
        self.frozen = tuple(frozen)
        self.norm_eval = norm_eval
        for module in self._frozen_modules():
            module.requires_grad_(False)

    def _frozen_modules(self) -> list[nn.Module]:
        return [self.timm_model.get_submodule(name) for name in self.frozen]

    def train(self, mode: bool = True) -> 'FrozenTIMMBackbone':
        """Set the mode, but for the frozen parts and with ``norm_eval`` all batch norms."""
        super().train(mode)
        norms = (x for x in self.modules() if self.norm_eval and isinstance(x, _BatchNorm))
        for module in (*self._frozen_modules(), *norms):
            module.eval()
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps (B, C, h, w) of the chosen stages, then the final one if configured."""
        if self.stages is None:
            return super().forward(x)
        network = self.timm_model
        if self.stages:
            last, maps = network.forward_intermediates(x, indices=self.stages)
        else:
            last, maps = network.forward_features(x), []
        final = network.forward_head(last)  # TIMMBackbone took pooling and classifier out of it
        if getattr(network, 'output_fmt', 'NCHW') == 'NHWC':
            final = final.permute(0, 3, 1, 2)
        return (*maps, final)
