"""Rows of a benchmark: configs in modes, built with random weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from _runtimes import Mode
from mmengine.config import Config
from mmpretrain.models import ImageClassifier

from mmmsf.checkpoint.loading import build_model
from mmmsf.models.losses import set_epoch
from mmmsf.utils.config_file import merge_options, read_config, short_name


@dataclass(frozen=True)
class Row:
    """One config in one mode."""

    name: str
    mode: Mode
    cfg: Config = field(compare=False)
    model: ImageClassifier = field(compare=False)

    @property
    def num_classes(self) -> int:
        """Number of classes of the config; not every head keeps it."""
        return int(self.cfg.model.head.num_classes)


def split_row(text: str) -> tuple[str, list[Mode]]:
    """Split ``CONFIG[:MODE,...]`` into the config and its modes, by default eager."""
    path, colon, modes = text.rpartition(':')
    if not colon or text.endswith('.py'):
        return text, [Mode()]
    return path, [Mode(name) for name in modes.split(',')]


def read_rows(
    texts: Sequence[str], overrides: Mapping[str, Any] | None = None, num_classes: int | None = None
) -> list[Row]:
    """Build the models of a table with random weights.

    Args:
        texts: Rows ``CONFIG[:MODE,...]``.
        overrides: Config values to override in all rows.
        num_classes: Number of classes K of every head, by default the config's.

    Raises:
        FileNotFoundError: A config does not exist.
        ValueError: A mode is unknown, or a row is repeated.
    """
    split = [split_row(text) for text in texts]
    paths = list(dict.fromkeys(path for path, _ in split))
    names = [short_name(path) for path in paths]
    if len(set(names)) < len(names):
        names = [Path(path).stem for path in paths]
    models: dict[str, tuple[Config, ImageClassifier]] = {}
    for path in paths:
        cfg = read_config(path)
        merge_options(cfg, overrides, path)
        if num_classes is not None:
            cfg.model.head.num_classes = num_classes
        torch.manual_seed(0)
        models[path] = cfg, build_model(cfg)
        set_epoch(models[path][1], 0)
    rows = [
        Row(names[paths.index(path)], mode, *models[path])
        for path, modes in split
        for mode in modes
    ]
    if len(set((row.name, row.mode) for row in rows)) < len(rows):
        raise ValueError(f'rows must differ from each other, got {", ".join(texts)}')
    return rows
