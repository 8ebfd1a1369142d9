"""Multi-scale extraction and hierarchical scale attention (Eq 1-5)."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmmsf.models.layers.scale_attention import HierarchicalScaleAttention, resize_map
from mmmsf.models.profiles import NECK_PROFILES, expand_profile
from mmmsf.registry import MODELS

SCALES = ('large', 'medium', 'small')


@MODELS.register_module()
class MSFNeck(BaseModule):
    """Make maps of up to three sizes from a backbone and fuse them by scale attention.

    From the last two stages F1 and F2 come ``large = Conv1x1(F1)``, ``medium = Conv1x1(F2)`` and
    ``small = Conv3x3 stride 2 (F2)``, all with bias and no norm (Eq 1), then
    :class:`HierarchicalScaleAttention` (Eq 2-5). With a backbone of a single map F (a ViT with
    ``out_type='featmap'``), ``medium`` and ``small`` come from F and ``large`` is ``Conv1x1(F)``
    upsampled by 2.

    The maps are in channels_last from the convolutions on, whatever the layout of the inputs: torch
    resizes that layout several times as fast, and tokens are views of it.

    Args:
        in_channels: Channels of the backbone's maps, the larger map first; one number for a
            single-map backbone, else two.
        embed_dims: Number of channels C of the output maps.
        scales: Maps to make, a non-empty subsequence of ``('large', 'medium', 'small')`` (Table 5).
        fuse: If True, apply the scale attention (Table 4). It needs two scales or more; a single
            scale is left as it is.
        interpolation: Mode of resizing: ``'bilinear'`` and ``'bicubic'`` (both with aligned
            corners), ``'area'`` or ``'nearest'`` (Table 6).
        stride_padding: Padding of the 3x3 stride-2 convolution: 1 (paper, ours; 14 -> 7) or 0
            (authors; 14 -> 6).
        product_gate: If True, multiply the shared product of the scale attention by a learned
            weight per channel, initially zero; adds C parameters. False in ``paper`` and
            ``authors``, True in ``ours``.
        init_cfg: Initialization config of MMEngine.
        profile: Default of the arguments that are None: ``'paper'``, ``'authors'`` (the first
            author's code) or ``'ours'`` (msf-lite), see :mod:`mmmsf.models.profiles`.

    Raises:
        ValueError: An argument is outside the values above.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        embed_dims: int = 512,
        scales: Sequence[str] = SCALES,
        fuse: bool = True,
        interpolation: str = 'bilinear',
        stride_padding: int | None = None,
        product_gate: bool | None = None,
        init_cfg: dict | list[dict] | None = None,
        profile: str = 'paper',
    ) -> None:
        super().__init__(init_cfg)
        choice = expand_profile(
            NECK_PROFILES, profile, stride_padding=stride_padding, product_gate=product_gate
        )
        in_channels = [in_channels] if isinstance(in_channels, int) else list(in_channels)
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
        if choice['stride_padding'] not in (0, 1):
            raise ValueError(f'`stride_padding` must be 0 or 1, got {stride_padding}')
        self.in_channels = in_channels
        self.scales = tuple(scales)
        self.interpolation = interpolation
        self.stride_padding = choice['stride_padding']
        self.convs = nn.ModuleDict()
        if 'large' in scales:
            self.convs['large'] = nn.Conv2d(in_channels[0], embed_dims, 1)
        if 'medium' in scales:
            self.convs['medium'] = nn.Conv2d(in_channels[-1], embed_dims, 1)
        if 'small' in scales:
            self.convs['small'] = nn.Conv2d(
                in_channels[-1], embed_dims, 3, stride=2, padding=self.stride_padding
            )
        hsa = HierarchicalScaleAttention(embed_dims, interpolation, choice['product_gate'])
        self.scale_attention = hsa if fuse and len(self.scales) > 1 else None

    def _check_inputs(self, inputs: Sequence[Tensor]) -> None:
        got = [tuple(x.shape) for x in inputs]
        if len(inputs) != len(self.in_channels):
            raise ValueError(
                f'MSFNeck was built with in_channels={self.in_channels} and takes '
                f'{len(self.in_channels)} feature maps, but the backbone gave {len(inputs)} with '
                f"shapes {got}. Set the backbone's `out_indices` or the neck's `in_channels`."
            )
        for x, channels in zip(inputs, self.in_channels, strict=True):
            if x.dim() != 4 or x.shape[1] != channels:
                raise ValueError(
                    'MSFNeck takes maps of shape (B, C, h, w) with '
                    f'C = in_channels = {self.in_channels}, but the backbone gave shapes {got}. '
                    "Set the neck's `in_channels`, or `out_type='featmap'` for a ViT."
                )
        if 'small' in self.scales and not self.stride_padding and min(got[-1][-2:]) < 3:
            raise ValueError(
                'with stride_padding=0 the 3x3 convolution of the small scale needs a last map of '
                f'at least 3 x 3, but the backbone gave shapes {got}. Use larger '
                'images or stride_padding=1.'
            )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Make one map for each scale.

        Args:
            inputs: The backbone's maps (B, in_channels[i], h_i, w_i), the larger one first.

        Returns:
            Maps (B, C, h, w) in the order of ``scales``, in channels_last.

        Raises:
            ValueError: Number or channels of the inputs are not as configured.
        """
        self._check_inputs(inputs)
        sources = {'large': inputs[0], 'medium': inputs[-1], 'small': inputs[-1]}
        maps = [
            self.convs[scale](sources[scale]).contiguous(memory_format=torch.channels_last)
            for scale in self.scales
        ]
        if len(inputs) == 1 and 'large' in self.scales:
            # A 1x1 convolution and an interpolation commute; this order is cheaper.
            _, _, height, width = inputs[0].shape
            maps[0] = resize_map(maps[0], (2 * height, 2 * width), self.interpolation)
        if self.scale_attention is not None:
            maps = self.scale_attention(maps)
        return tuple(maps)
