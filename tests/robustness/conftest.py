"""Folders for damaged files: valid sets to damage, and a place in memory for fuzzing."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.small_data import make_coco, make_voc


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three valid sets of four images: COCO's layout, VOC's, and a table."""
    make_coco(tmp_path, 'val', tuple('abcde'))
    make_voc(tmp_path, 'val')
    names = [f'COCO_val2014_{i:012d}.jpg' for i in range(4)]
    (tmp_path / 't.csv').write_text('path,labels\n' + ''.join(f'{name},a;b\n' for name in names))
    return tmp_path


@pytest.fixture
def fuzz_folder(tmp_path: Path) -> Iterator[Path]:
    """A VOC folder without annotations; in memory where possible."""
    memory = Path('/dev/shm')
    place = memory if os.access(memory, os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name)
        for part in ('Annotations', 'ImageSets/Main', 'JPEGImages'):
            (folder / part).mkdir(parents=True)
        for letter in 'abc':
            (folder / f'JPEGImages/{letter}.jpg').touch()
        (folder / 'ImageSets/Main/one.txt').write_text('a\n')
        yield folder
