"""Position encodings of a map: learned row and column tables, and fixed sine waves."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor, nn


def resample_table(table: Tensor, size: int) -> Tensor:
    """Resample a position table along its axis, linearly, end entries kept in place.

    Args:
        table: Entries (L, D).
        size: Wanted number of entries.

    Returns:
        Entries (size, D).
    """
    if len(table) == size:
        return table
    # As an image of one column: torch has a deterministic gradient of 'bilinear', not of 'linear'.
    return F.interpolate(
        table.t()[None, :, :, None], size=(size, 1), mode='bilinear', align_corners=True
    )[0, :, :, 0].t()


class LearnedPositionEncoding(nn.Module):
    """Learned row and column tables, concatenated, column half first; shared by the branches.

    The place at row r and column c of a map is encoded as ``[col_embed[c], row_embed[r]]``. The
    buffer ``trained_grid`` (in the checkpoint) keeps the map size that each branch was first
    trained with. For any other size, and beyond the tables, the trained entries are interpolated
    linearly; this is logged once. Tables of another length than the checkpoint's take its first
    entries.

    Args:
        embed_dims: Number of channels C; even.
        num_branches: Number of maps that share the tables.
        num_positions: Number of entries of each table.

    Raises:
        ValueError: ``embed_dims`` is odd or ``num_positions`` below 1; while loading, tables that
            are too short for the maps that the checkpoint was trained on.
    """

    def __init__(self, embed_dims: int, num_branches: int, num_positions: int = 50) -> None:
        super().__init__()
        if embed_dims % 2:
            raise ValueError(f'`embed_dims` must be even, got {embed_dims}')
        if num_positions < 1:
            raise ValueError(f'`num_positions` must be at least 1, got {num_positions}')
        self.row_embed = nn.Parameter(torch.empty(num_positions, embed_dims // 2))
        self.col_embed = nn.Parameter(torch.empty(num_positions, embed_dims // 2))
        nn.init.uniform_(self.row_embed)
        nn.init.uniform_(self.col_embed)
        self.trained_grid: Tensor
        self.register_buffer('trained_grid', torch.zeros(num_branches, 2, dtype=torch.long))
        # The buffer as plain numbers: reading a tensor in `forward` breaks compiled graphs.
        self._grid: list[list[int]] | None = None
        self._reported: set[tuple[int, ...]] = set()

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: object) -> None:
        grid = state_dict.get(f'{prefix}trained_grid', self.trained_grid)  # zeros: not known
        for axis, name in enumerate(('row_embed', 'col_embed')):
            table, own = state_dict.get(prefix + name), getattr(self, name)
            if table is None or table.shape[1:] != own.shape[1:] or len(table) == len(own):
                continue
            used = int(grid[:, axis].max())
            if used > len(own):
                raise ValueError(
                    f'`num_positions` must be at least {used}, which the maps use that the '
                    f'checkpoint was trained on, got {len(own)}'
                )
            if used:  # an entry stays that of its place
                kept = min(len(table), len(own))
                state_dict[prefix + name] = torch.cat([table[:kept], own.detach()[kept:].to(table)])
            else:
                state_dict[prefix + name] = resample_table(table, len(own))
            print_log(
                f'{prefix}{name}: the checkpoint has {len(table)} positions, the model '
                f'{len(own)}; {"the first ones are taken" if used else "resampled"}.',
                logger='current',
            )
        state_dict.setdefault(prefix + 'trained_grid', self.trained_grid)
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._grid = None

    def _trained_size(self, branch: int, height: int, width: int) -> list[int]:
        """Return the number of table rows and columns that cover the map; set it in training."""
        if self._grid is None:
            self._grid = self.trained_grid.tolist()
        if self._grid[branch] == [0, 0]:
            num_positions = len(self.row_embed)
            size = [min(height, num_positions), min(width, num_positions)]
            if not self.training:
                return size
            self._grid[branch] = size
            self.trained_grid[branch] = self.trained_grid.new_tensor(size)
        return self._grid[branch]

    def _report(self, branch: int, size: tuple[int, int], trained: list[int]) -> None:
        key = (branch, *size)
        if key not in self._reported:
            self._reported.add(key)
            print_log(
                f'Position tables of branch {branch} interpolated from {trained[0]}x{trained[1]} '
                f'to {size[0]}x{size[1]} positions.',
                logger='current',
            )

    def forward(self, shapes: Sequence[tuple[int, int]]) -> list[Tensor]:
        """Encode the positions of every branch's map.

        Args:
            shapes: Height and width of each map, in branch order.

        Returns:
            For each map its encoding (height * width, C), row by row.
        """
        encodings = []
        for branch, (height, width) in enumerate(shapes):
            trained = self._trained_size(branch, height, width)
            if [height, width] != trained:
                self._report(branch, (height, width), trained)
            rows = resample_table(self.row_embed[: trained[0]], height)
            cols = resample_table(self.col_embed[: trained[1]], width)
            pos = torch.cat(
                [
                    cols[None].expand(height, -1, -1),  # (h, w, C/2)
                    rows[:, None].expand(-1, width, -1),  # (h, w, C/2)
                ],
                dim=-1,
            )
            encodings.append(pos.flatten(0, 1))  # (h * w, C)
        return encodings


def _encode_axis(
    size: int, channels: int, temperature: float, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Encode every place on one axis by alternating sine and cosine: (size, channels)."""
    place = torch.arange(1, size + 1, device=device, dtype=dtype) * (2 * math.pi / size)
    exponent = torch.arange(channels // 2, device=device, dtype=dtype) * (2 / channels)
    angle = place[:, None] * temperature**-exponent  # (size, channels / 2)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


def sine_position_encoding(
    height: int,
    width: int,
    embed_dims: int,
    temperature: float = 10000.0,
    device: torch.device | str = 'cpu',
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    r"""Encode rows and columns by waves of falling frequency, row half first.

    Row r of H rows stands at :math:`u = 2 \pi (r + 1) / H`; channels 2j and
    2j + 1 of its C / 2 are :math:`\sin` and :math:`\cos` of
    :math:`u \, T^{-4j/C}`. Columns are encoded in the same way. Maps of all
    sizes thus cover the same range.

    Source: Carion et al., "End-to-End Object Detection with Transformers",
    ECCV 2020.

    Args:
        height: Number of rows H of the map.
        width: Number of columns W of the map.
        embed_dims: Number of channels C; a multiple of 4.
        temperature: Ratio T of the highest frequency to the lowest.
        device: Device of the encoding.
        dtype: Floating-point type of the encoding.

    Returns:
        Encoding (H * W, C), row by row.

    Raises:
        ValueError: ``embed_dims`` is not a positive multiple of 4.
    """
    if embed_dims < 4 or embed_dims % 4:
        raise ValueError(f'`embed_dims` must be a positive multiple of 4, got {embed_dims}')
    half, device = embed_dims // 2, torch.device(device)
    wide = torch.promote_types(dtype, torch.float32)  # half precision would blur the angles
    rows = _encode_axis(height, half, temperature, device, wide)
    cols = _encode_axis(width, half, temperature, device, wide)
    pos = torch.cat(
        [
            rows[:, None].expand(-1, width, -1),  # (H, W, C/2)
            cols[None].expand(height, -1, -1),  # (H, W, C/2)
        ],
        dim=-1,
    )
    return pos.flatten(0, 1).to(dtype)  # (H * W, C)
