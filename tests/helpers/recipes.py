"""Every recipe on disk: the configs and the rows of the ablation grid."""

from pathlib import Path

from _grid import grid_rows
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[2]
GRID = ROOT / 'configs/msf/ablations/grid.yml'
CONFIGS = {
    str(path.relative_to(ROOT / 'configs')): path
    for path in sorted((ROOT / 'configs').rglob('*.py'))
    if '_base_' not in path.parts
}
ROWS = {row.name: row.cfg for row in list(grid_rows(GRID))[1:]}
NAMES = [*CONFIGS, *ROWS]


def load_recipe(name: str) -> Config:
    """Return a copy of the merged config of a path below ``configs`` or of a grid row."""
    return Config.fromfile(CONFIGS[name]) if name in CONFIGS else Config(ROWS[name].to_dict())
