"""Every recipe on disk: the configs and the rows of grids, each merged only when it is needed."""

from pathlib import Path
from typing import Any

from _grid import make_rows, read_grid
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[2]
GRID = ROOT / 'configs/msf/ablations/grid.yml'
CONFIGS = {
    str(path.relative_to(ROOT / 'configs')): path
    for path in sorted((ROOT / 'configs').rglob('*.py'))
    if '_base_' not in path.parts
}


def row_names(grid: Path) -> list[str]:
    """Name the rows of a grid file, without that of its base."""
    return [name for rows in read_grid(grid).tables.values() for name in rows]


def load_row(grid: Path, name: str | None, **changes: Any) -> Config:
    """Merge the config of a row, or of the base for None.

    Args:
        grid: Grid file.
        name: Row.
        changes: Arguments of ``make_rows``.
    """
    return make_rows([grid], names=[] if name is None else [name], **changes)[-1].cfg


ROWS = row_names(GRID)
NAMES = [*CONFIGS, *ROWS]


def load_recipe(name: str) -> Config:
    """Return the merged config of a path below ``configs`` or of a row of the ablations."""
    return Config.fromfile(CONFIGS[name]) if name in CONFIGS else load_row(GRID, name)
