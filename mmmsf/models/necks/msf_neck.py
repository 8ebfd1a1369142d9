"""Multi-scale extraction and hierarchical scale attention (Eq 1-5)."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmmsf.models.layers.scale_attention import HierarchicalScaleAttention, resize_map
from mmmsf.registry import MODELS

SCALES = ('large', 'medium', 'small')


@MODELS.register_module()
class MSFNeck(BaseModule):
    """Make maps of up to three sizes from a backbone and let them attend to each other.

    From the last two stages F1 and F2 come ``large = Conv1x1(F1)``,
    ``medium = Conv1x1(F2)`` and ``small = Conv3x3 stride 2 (F2)``, all with bias
    and no norm (Eq 1), then :class:`HierarchicalScaleAttention` (Eq 2-5). From a
    backbone with a single map F (a ViT with ``out_type='featmap'``), ``medium``
    and ``small`` are made from F and ``large`` is ``Conv1x1(F)`` upsampled by 2.

    Args:
        in_channels: channels of the backbone's maps, the larger map first: two
            numbers, or one for a single-map backbone.
        embed_dims: channels C of every map that comes out.
        scales: the maps to make, a non-empty subsequence of ``('large',
            'medium', 'small')`` (Table 5).
        fuse: whether the scales attend to each other (Table 4). A single scale
            has nothing to attend to and is left as it is.
        interpolation: how maps are resized: ``'bilinear'`` and ``'bicubic'``
            (both with aligned corners), ``'area'`` or ``'nearest'`` (Table 6).
        stride_padding: padding of the 3x3 stride-2 convolution: 1 in the
            paper's profile (14 -> 7), 0 in the authors' (14 -> 6).
        product_gate: multiply the shared product of the scale attention by a
            learned weight per channel that starts at zero. Ours, off in both
            profiles; adds C parameters.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: an argument is outside the values above.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        embed_dims: int = 512,
        scales: Sequence[str] = SCALES,
        fuse: bool = True,
        interpolation: str = 'bilinear',
        stride_padding: int = 1,
        product_gate: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
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
        if stride_padding not in (0, 1):
            raise ValueError(f'`stride_padding` must be 0 or 1, got {stride_padding}')
        self.in_channels = in_channels
        self.scales = tuple(scales)
        self.interpolation = interpolation
        self.stride_padding = stride_padding
        self.convs = nn.ModuleDict()
        if 'large' in scales:
            self.convs['large'] = nn.Conv2d(in_channels[0], embed_dims, 1)
        if 'medium' in scales:
            self.convs['medium'] = nn.Conv2d(in_channels[-1], embed_dims, 1)
        if 'small' in scales:
            self.convs['small'] = nn.Conv2d(
                in_channels[-1], embed_dims, 3, stride=2, padding=stride_padding
            )
        hsa = HierarchicalScaleAttention(embed_dims, interpolation, product_gate)
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
            inputs: the backbone's maps (B, in_channels[i], h_i, w_i), the
                larger one first.

        Returns:
            Maps (B, C, h, w) in the order of ``scales``.

        Raises:
            ValueError: number or channels of the inputs are not as configured.
        """
        self._check_inputs(inputs)
        sources = {'large': inputs[0], 'medium': inputs[-1], 'small': inputs[-1]}
        maps = [self.convs[scale](sources[scale]) for scale in self.scales]
        if len(inputs) == 1 and 'large' in self.scales:
            # A 1x1 convolution and an interpolation commute; this order is the cheaper one.
            _, _, height, width = inputs[0].shape
            maps[0] = resize_map(maps[0], (2 * height, 2 * width), self.interpolation)
        if self.scale_attention is not None:
            maps = self.scale_attention(maps)
        return tuple(maps)
