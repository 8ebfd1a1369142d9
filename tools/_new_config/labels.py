"""Labels of a data set, and the lines that its reader logs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _check import SplitLabels
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

from mmmsf.datasets.readers.image_sets import list_annotations
from mmmsf.datasets.readers.voc_xml import read_objects
from mmmsf.registry import DATASETS

from .sources import Source

BARE = dict(pipeline=[], serialize_data=False)  # packing pays for training, not for one look


class _Collector(logging.Handler):
    def __init__(self, places: tuple[str, ...]) -> None:
        super().__init__()
        self.places = places
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep each line on a file once; a split that was just written is no earlier one."""
        line = record.getMessage()
        known = line in self.lines or (self.lines and ': an earlier split counts' in line)
        if not known and line.startswith(self.places):
            self.lines.append(line)


@contextmanager
def collected_notes(*places: Path) -> Iterator[list[str]]:
    """Collect the lines that datasets log on files below some places; the console gets none."""
    logger = MMLogger.get_current_instance()
    collector = _Collector(tuple(str(place.resolve()) for place in places))
    handlers = logger.handlers
    logger.handlers = [collector]
    try:
        yield collector.lines
    finally:
        logger.handlers = handlers


def read_labels(name: str, arguments: dict[str, Any]) -> SplitLabels:
    """Read the labels of a data set without its images.

    Args:
        name: Name of the split.
        arguments: Config of the dataset.

    Raises:
        OSError, ValueError: As the dataset.
    """
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return SplitLabels.from_dataset(name, DATASETS.build({**arguments, **BARE}))


def voc_names(source: Source, rename: dict[str, str]) -> list[str]:
    """List the names of the objects in all XML files of a VOC folder, sorted and renamed."""
    folder = Path(source.arguments['data_root'], source.arguments.get('ann_dir', 'Annotations'))
    files = list_annotations(str(folder)).values()
    names = {x.name for file in files for x in read_objects(str(folder / file), sizes=False)}
    return sorted({rename.get(name, name) for name in names})


def occurring(*splits: SplitLabels) -> list[str]:
    """List the classes that are positive in some image, in their order."""
    counts = sum((split.targets == 1).sum(axis=0) for split in splits)
    return [name for name, count in zip(splits[0].classes, counts, strict=True) if count]
