"""Multi-scale extraction and hierarchical scale attention (Eq 1-5)."""

import logging
import math
from collections.abc import Sequence
from typing import Literal, cast

import torch
from mmcv.cnn import build_norm_layer
from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmengine.registry import MODELS as ROOT_MODELS
from torch import Tensor, nn

from mmmsf.models.layers import HierarchicalScaleAttention, resize_map, scale_conv
from mmmsf.models.profiles import NECK_PROFILES, expand_profile
from mmmsf.registry import MODELS

from .inputs import check_maps

SCALES = ('large', 'medium', 'small')


@MODELS.register_module()
class MSFNeck(BaseModule):
    """Make maps of up to three sizes from a backbone and fuse them by scale attention.

    From the last two stages F1 and F2 come ``large = Conv1x1(F1)``, ``medium = Conv1x1(F2)`` and
    ``small = Conv3x3 stride 2 (F2)``, all with bias and no norm (Eq 1), then
    :class:`HierarchicalScaleAttention` (Eq 2-5). With a backbone of a single map F (a ViT with
    ``out_type='featmap'``), ``medium`` and ``small`` come from F and ``large`` is ``Conv1x1(F)``
    upsampled by 2, after norm and activation if there are any.

    The product of Eq 3 is cubic in the size of the maps, and backbones differ in that. Either
    ``init_scale`` gives the maps a chosen size before the first training step, with the equations
    and parameters of the paper, or ``norm_cfg`` normalizes them.

    The maps are in channels_last from the convolutions on, whatever the layout of the inputs: torch
    resizes that layout several times as fast, and tokens are views of it.

    ====================  =========  ===========  =================
    argument              ``paper``  ``authors``  ``ours``
    ====================  =========  ===========  =================
    stride_padding        1          0            1
    fuse                  True       True         False
    product_gate          False      False        False
    norm_cfg              False      False        GN of 32 groups
    act_cfg               False      False        ReLU
    ====================  =========  ===========  =================

    Args:
        in_channels: Channels of the backbone's maps, the larger map first; one number for a
            single-map backbone, else two.
        embed_dims: Number of channels C of the output maps.
        scales: Maps to make, a non-empty subsequence of ``('large', 'medium', 'small')`` (Table 5).
        fuse: If True, apply the scale attention (Table 4). It needs two scales or more; a single
            scale is left as it is.
        interpolation: Mode of resizing: ``'bilinear'`` and ``'bicubic'`` (both with aligned
            corners), ``'area'`` or ``'nearest'`` (Table 6).
        stride_padding: Padding of the 3x3 stride-2 convolution: 1 (14 -> 7) or 0 (14 -> 6).
        product_gate: If True, multiply the shared product of the scale attention by a learned
            weight per channel, initially zero; adds C parameters. Without ``fuse`` it has
            no effect, which is logged.
        norm_cfg: Norm after each convolution, such as ``dict(type='GN', num_groups=32)``, as in
            the input projections of Deformable DETR. Groups of few channels remove the mean of an
            image from each: below 256 channels use fewer groups, such as ``embed_dims // 8``.
            False for none.
        act_cfg: Activation after each convolution and its norm; False for none.
        init_scale: Standard deviation that the convolutions' maps are given on the first training
            batch (:func:`scale_conv`); None leaves the convolutions as they are drawn. The buffer
            ``scaled`` keeps in the checkpoint that it was done; loaded convolutions are not scaled.
        passthrough: If True, hand on the backbone's last map, unchanged, after the scales. The
            backbone may give it in addition to the maps that ``in_channels`` names.
        init_cfg: Initialization config of MMEngine.
        profile: Default of the arguments in the table that are None: ``'paper'``, ``'authors'``
            (the first author's code) or ``'ours'``, see :mod:`mmmsf.models.profiles`.

    Raises:
        ValueError: An argument is outside the values above.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        embed_dims: int = 512,
        scales: Sequence[str] = SCALES,
        fuse: bool | None = None,
        interpolation: str = 'bilinear',
        stride_padding: int | None = None,
        product_gate: bool | None = None,
        norm_cfg: dict | Literal[False] | None = None,
        act_cfg: dict | Literal[False] | None = None,
        init_scale: float | None = None,
        passthrough: bool = False,
        init_cfg: dict | list[dict] | None = None,
        profile: str = 'paper',
    ) -> None:
        super().__init__(init_cfg)
        choice = expand_profile(
            NECK_PROFILES,
            profile,
            stride_padding=stride_padding,
            fuse=fuse,
            product_gate=product_gate,
            norm_cfg=norm_cfg,
            act_cfg=act_cfg,
        )
        in_channels = [in_channels] if isinstance(in_channels, int) else list(in_channels)
        _check_arguments(in_channels, scales, choice['stride_padding'])
        _check_init_scale(init_scale, choice['norm_cfg'])
        self.in_channels = in_channels
        self.scales = tuple(scales)
        self.interpolation = interpolation
        self.stride_padding = choice['stride_padding']
        self.passthrough = passthrough
        self.convs = nn.ModuleDict()
        if 'large' in scales:
            self.convs['large'] = nn.Conv2d(in_channels[0], embed_dims, 1)
        if 'medium' in scales:
            self.convs['medium'] = nn.Conv2d(in_channels[-1], embed_dims, 1)
        if 'small' in scales:
            self.convs['small'] = nn.Conv2d(
                in_channels[-1], embed_dims, 3, stride=2, padding=self.stride_padding
            )
        self.norms: nn.ModuleDict | None = None
        if choice['norm_cfg'] is not False:
            self.norms = nn.ModuleDict(
                {scale: build_norm_layer(choice['norm_cfg'], embed_dims)[1] for scale in scales}
            )
        self.act = None if choice['act_cfg'] is False else ROOT_MODELS.build(choice['act_cfg'])
        hsa = HierarchicalScaleAttention(embed_dims, interpolation, choice['product_gate'])
        self.scale_attention = hsa if choice['fuse'] and len(self.scales) > 1 else None
        if choice['product_gate'] and self.scale_attention is None:
            print_log(
                'MSFNeck: `product_gate` has no effect without the product (`fuse` and two scales)',
                logger='current',
                level=logging.WARNING,
            )
        self.init_scale = init_scale
        # What is left to scale, as names: reading a tensor in `forward` breaks compiled graphs.
        self._to_scale = () if init_scale is None else tuple(self.convs)
        if init_scale is not None:
            self.scaled: Tensor
            self.register_buffer('scaled', torch.zeros((), dtype=torch.long))

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: object) -> None:
        name, own = f'{prefix}scaled', f'{prefix}convs.'
        shapes = {key: x.shape for key, x in state_dict.items() if key.startswith(own)}
        if self.init_scale is None:
            state_dict.pop(name, None)
        if self.init_scale is None or not shapes:
            super()._load_from_state_dict(state_dict, prefix, *args)
            return
        drawn = tuple(
            scale
            for scale, conv in self.convs.items()
            if any(
                shapes.get(f'{own}{scale}.{key}') != x.shape for key, x in conv.named_parameters()
            )
        )
        if drawn:  # no or other weights in the checkpoint
            state_dict[name] = torch.zeros_like(self.scaled)
        else:
            state_dict.setdefault(name, torch.ones_like(self.scaled))
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._to_scale = drawn or (() if self.scaled else tuple(self.convs))

    @torch.compiler.disable
    def _scale_convs(self, sources: dict[str, Tensor]) -> None:
        """Give the convolutions' maps the deviation ``init_scale`` on this batch."""
        factors = {
            name: scale_conv(
                cast(nn.Conv2d, self.convs[name]), sources[name], cast(float, self.init_scale)
            )
            for name in self._to_scale
        }
        self.scaled.fill_(1)
        self._to_scale = ()
        text = ', '.join(f'{name} {factor:.3g}' for name, factor in factors.items())
        print_log(f'Convolutions of MSFNeck scaled for the first batch: {text}', logger='current')

    def _map(self, scale: str, source: Tensor) -> Tensor:
        """Make the map (B, C, h, w) of a scale, in channels_last."""
        x = self.convs[scale](source)
        if self.norms is not None:
            x = self.norms[scale](x)
        if self.act is not None:
            x = self.act(x)
        return x.contiguous(memory_format=torch.channels_last)

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Make one map for each scale.

        Args:
            inputs: The backbone's maps (B, in_channels[i], h_i, w_i), the larger one first; with
                ``passthrough`` possibly one more.

        Returns:
            Maps (B, C, h, w) in the order of ``scales``, in channels_last; with ``passthrough``
            also the last of the inputs.

        Raises:
            ValueError: Number or channels of the inputs are not as configured.
        """
        least = 3 if 'small' in self.scales and not self.stride_padding else 1
        check_maps(inputs, self.in_channels, self.passthrough, least)
        stages = inputs[: len(self.in_channels)]
        sources = {'large': stages[0], 'medium': stages[-1], 'small': stages[-1]}
        if self.training and self._to_scale:
            self._scale_convs(sources)
        maps = [self._map(scale, sources[scale]) for scale in self.scales]
        if len(stages) == 1 and 'large' in self.scales:
            # A 1x1 convolution and an interpolation commute; this order is cheaper.
            _, _, height, width = stages[0].shape
            maps[0] = resize_map(maps[0], (2 * height, 2 * width), self.interpolation)
        if self.scale_attention is not None:
            maps = self.scale_attention(maps)
        return (*maps, inputs[-1]) if self.passthrough else tuple(maps)


def _check_arguments(in_channels: list[int], scales: Sequence[str], stride_padding: int) -> None:
    """Check arguments of :class:`MSFNeck`."""
    if len(in_channels) not in (1, 2):
        raise ValueError(
            '`in_channels` must name the channels of the last two backbone stages '
            f'(or of one single map), got {in_channels}'
        )
    if not scales or list(scales) != [scale for scale in SCALES if scale in scales]:
        raise ValueError(
            '`scales` must be a non-empty subsequence of '
            f'{SCALES}, in that order, got {tuple(scales)}'
        )
    if stride_padding not in (0, 1):
        raise ValueError(f'`stride_padding` must be 0 or 1, got {stride_padding}')


def _check_init_scale(init_scale: float | None, norm_cfg: dict | Literal[False]) -> None:
    """Check the scale of :class:`MSFNeck`'s first maps."""
    if init_scale is None:
        return
    if not 0 < init_scale < math.inf:
        raise ValueError(f'`init_scale` must be a positive number, got {init_scale}')
    if norm_cfg is not False:
        raise ValueError(
            f'`init_scale` must be None with a norm, which undoes it, got {init_scale} with '
            f'norm_cfg={norm_cfg}; norm_cfg=False leaves the norm out'
        )
