"""Learned row and column position encoding, shared by the branches."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor, nn


def resample_table(table: Tensor, size: int) -> Tensor:
    """Resample a position table along its axis, linearly, end entries kept in place.

    Args:
        table: (L, D).
        size: wanted number of entries.

    Returns:
        (size, D).
    """
    if len(table) == size:
        return table
    # As an image of one column: torch repeats the gradient of this to the bit, not of 'linear'.
    return F.interpolate(
        table.t()[None, :, :, None], size=(size, 1), mode='bilinear', align_corners=True
    )[0, :, :, 0].t()


class LearnedPositionEncoding(nn.Module):
    """A row table and a column table, concatenated, column half first.

    Row r and column c of a map get ``[col_embed[c], row_embed[r]]``. The tables
    hold ``num_positions`` entries each. A map with more rows or columns than
    that, or of another size than the one the branch was first trained with
    (kept in the buffer ``trained_grid``, hence in the checkpoint), takes its
    entries from the trained ones by linear interpolation; the log says so once.

    Args:
        embed_dims: channels C; even.
        num_branches: number of maps that share the tables.
        num_positions: entries of each table.

    Raises:
        ValueError: ``embed_dims`` is odd.
    """

    def __init__(self, embed_dims: int, num_branches: int, num_positions: int = 50) -> None:
        super().__init__()
        if embed_dims % 2:
            raise ValueError(f'`embed_dims` must be even, got {embed_dims}')
        self.row_embed = nn.Parameter(torch.empty(num_positions, embed_dims // 2))
        self.col_embed = nn.Parameter(torch.empty(num_positions, embed_dims // 2))
        nn.init.uniform_(self.row_embed)
        nn.init.uniform_(self.col_embed)
        self.trained_grid: Tensor
        self.register_buffer('trained_grid', torch.zeros(num_branches, 2, dtype=torch.long))
        # The buffer's content as plain numbers: reading a tensor in `forward` would break graphs.
        self._grid: list[list[int]] | None = None
        self._reported: set[tuple[int, ...]] = set()

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: object) -> None:
        for name in ('row_embed', 'col_embed'):
            table, own = state_dict.get(prefix + name), getattr(self, name)
            if table is not None and table.shape[1:] == own.shape[1:] and len(table) != len(own):
                print_log(
                    f'{prefix}{name}: the checkpoint has {len(table)} positions, the model '
                    f'{len(own)}; resampled.',
                    logger='current',
                )
                state_dict[prefix + name] = resample_table(table, len(own))
        state_dict.setdefault(prefix + 'trained_grid', self.trained_grid)
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._grid = None

    def _trained_size(self, branch: int, height: int, width: int) -> list[int]:
        """Rows and columns of the tables that stand for the whole map."""
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
            shapes: (height, width) of each map, in branch order.

        Returns:
            For each map (height * width, C), row by row.
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
            encodings.append(pos.flatten(0, 1))  # (h*w, C)
        return encodings
