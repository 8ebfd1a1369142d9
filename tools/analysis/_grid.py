"""Rows of a comparison: config files, or named changes of one base config."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config

from mmmsf.utils.config_file import merge_options, read_config, short_name

GRID_SUFFIXES = ('.yml', '.yaml')
Changes = dict[str, Any]  # config key, as in ``--cfg-options`` -> value


@dataclass(frozen=True)
class Row:
    """Hold one row of a table.

    Attributes:
        name: Name of the row.
        cfg: Merged config of its runs.
        images: Config of the same model on images, where ``cfg`` trains on cached features.
    """

    name: str
    cfg: Config = field(compare=False)
    images: Config | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Grid:
    """Named changes of a base config.

    Attributes:
        base: Config that the rows change.
        tables: Table name -> row name -> changes.
    """

    base: Path
    tables: dict[str, dict[str, Changes]]

    def select(self, names: Sequence[str] | None) -> Iterator[tuple[str, Changes]]:
        """Yield the rows of the named tables and the named rows; all rows for ``None``.

        Raises:
            ValueError: A name is neither a table nor a row.
        """
        rows = {row for table in self.tables.values() for row in table}
        unknown = sorted(set(names or ()) - self.tables.keys() - rows)
        if unknown:
            raise ValueError(
                f'`rows` must name tables ({", ".join(self.tables)}) or rows '
                f'({", ".join(sorted(rows))}), got {", ".join(unknown)}'
            )
        for table, changes_of in self.tables.items():
            for row, changes in changes_of.items():
                if names is None or table in names or row in names:
                    yield row, changes


def read_grid(path: str | Path) -> Grid:
    """Read a grid file: a YAML mapping with the keys ``base`` and ``tables``.

    ``base`` is a config path relative to the grid file; ``tables`` maps table names to rows, rows
    to config keys, and config keys to values.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The content has another structure.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'there is no grid file {path}')
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except yaml.YAMLError as error:
        raise ValueError(f'{path} is not valid YAML: {error}') from error
    if not isinstance(content, dict) or content.keys() != {'base', 'tables'}:
        raise ValueError(f'{path} must be a mapping with the keys `base` and `tables`')
    tables = content['tables']
    if not isinstance(tables, dict) or not all(
        isinstance(rows, dict) and all(isinstance(changes, dict) for changes in rows.values())
        for rows in tables.values()
    ):
        raise ValueError(f'`tables` in {path} must map tables to rows and rows to config keys')
    named = {  # YAML reads `320:` as a number
        str(table): {str(row): changes for row, changes in rows.items()}
        for table, rows in tables.items()
    }
    return Grid(path.parent / str(content['base']), named)


def grid_rows(
    path: str | Path, base: str | Path | None = None, names: Sequence[str] | None = None
) -> Iterator[Row]:
    """Yield the row of the base config, then the selected rows of a grid file.

    Args:
        path: Grid file.
        base: Config in place of the grid's own base.
        names: Tables or rows to select; ``None`` selects all.

    Raises:
        FileNotFoundError: The grid file or the base does not exist.
        ValueError: The grid, the base or a name is invalid, or a change does not fit the base.
    """
    grid = read_grid(path)
    base = base or grid.base
    yield Row(short_name(base), read_config(base))
    for name, changes in grid.select(names):
        cfg = read_config(base)
        merge_options(cfg, changes, f'{base}, row {name} of {path}')
        yield Row(name, cfg)


def find_files(names: Sequence[str]) -> list[Path]:
    """Replace each folder by the configs in it, without those under ``_base_``."""
    found: list[Path] = []
    for name in names:
        path = Path(name)
        inside = sorted(p for p in path.rglob('*.py') if '_base_' not in p.parts)
        found += inside if path.is_dir() else [path]
    return found


def make_rows(
    files: Sequence[str | Path],
    base: str | Path | None = None,
    names: Sequence[str] | None = None,
    crossed: Mapping[str, Sequence[Any]] | None = None,
    options: Mapping[str, Any] | None = None,
) -> list[Row]:
    """Make the rows of a table.

    Args:
        files: Configs and grid files.
        base: Config that the rows of grid files change, in place of their own base.
        names: Tables or rows of the grid files to select; ``None`` selects all.
        crossed: Config keys with values; every row is crossed with every combination.
        options: Changes of every row.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file is invalid, there is none, an option does not fit, or two rows share a
            name.
    """
    rows: list[Row] = []
    for path in map(Path, files):
        if path.suffix in GRID_SUFFIXES:
            rows += grid_rows(path, base, names)
        else:
            rows.append(Row(short_name(path), read_config(path)))
    result = []
    for row in rows:
        for values in itertools.product(*(crossed or {}).values()):
            point = dict(zip(crossed or {}, values, strict=True))
            cfg = Config(row.cfg.to_dict())
            merge_options(cfg, {**(options or {}), **point}, row.name)
            suffix = [f'{key.split(".")[-1]}={value}' for key, value in point.items()]
            result.append(Row(' '.join([row.name, *suffix]), cfg))
    if not result:
        raise ValueError(f'there is no config in {", ".join(map(str, files)) or "the folders"}')
    found = [row.name for row in result]
    shared = sorted({name for name in found if found.count(name) > 1})
    if shared:
        raise ValueError(
            f'rows must have different names, got {", ".join(shared)} more than once; a config '
            "is named by its file name before the first '_'"
        )
    return result
