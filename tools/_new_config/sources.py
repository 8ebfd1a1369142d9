"""Recognition of labelled images: a table, a COCO file, or a folder in VOC's layout."""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmmsf.datasets.readers.coco_json import SECTIONS
from mmmsf.datasets.readers.image_sets import IMAGE_SUFFIXES
from mmmsf.datasets.readers.tables.text import INDEX_LINE
from mmmsf.datasets.voc_split import split_exists

TABLES = ('.csv', '.tsv', '.jsonl')
IMAGE_FOLDERS = ('JPEGImages', 'images', '.')
XML_FOLDERS = ('Annotations', 'annotations', '.')


@dataclass(frozen=True)
class Source:
    """Hold one set of labelled images.

    Attributes:
        kind: 'table', 'coco' or 'voc'.
        path: Annotation file, or the folder of a VOC set.
        arguments: Arguments of its dataset but those of the split.
        has_lists: True for a VOC folder with the lists ``train.txt`` and ``val.txt``.
    """

    kind: str
    path: Path
    arguments: dict[str, Any] = field(default_factory=dict)
    has_lists: bool = False

    @property
    def title(self) -> str:
        """Name of the form, with the folder of the images."""
        forms = dict(table='table', coco='COCO file', voc="folder in VOC's layout")
        root = Path(self.arguments['data_root'], self.arguments.get('image_dir', ''))
        return f'{self.path}: {forms[self.kind]}, images in {root}'

    @property
    def whole(self) -> dict[str, Any]:
        """Arguments that select all images."""
        return dict(split=None) if self.kind == 'voc' else dict(ann_file=str(self.path))


@lru_cache
def _coco_names(path: Path) -> list[str] | None:
    """List the file names of a COCO file, parsed once since it may be large; None for others."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not content.keys() >= set(SECTIONS):
        return None
    images = content['images'] if isinstance(content['images'], list) else []
    return [str(x['file_name']) for x in images if isinstance(x, dict) and 'file_name' in x]


def _is_index_list(path: Path) -> bool:
    with open(path, encoding='utf-8', errors='replace') as file:
        return INDEX_LINE.fullmatch(file.readline().rstrip('\r\n')) is not None


def _kind(path: Path) -> str | None:
    """Return the kind of an annotation file, None for another file."""
    suffix = path.suffix.lower()
    if suffix in TABLES or (suffix == '.txt' and _is_index_list(path)):
        return 'table'
    return 'coco' if suffix == '.json' and _coco_names(path) is not None else None


def _annotation_files(folder: Path) -> list[Path]:
    places = [folder, *(folder / name for name in XML_FOLDERS[:-1])]
    files = {
        path.resolve(): path
        for place in places
        if place.is_dir()
        for path in sorted(place.iterdir())
        if path.is_file() and _kind(path)
    }
    return list(files.values())


def _holding(folder: Path, names: tuple[str, ...], suffixes: tuple[str, ...]) -> str | None:
    """Return the first of the subfolders that holds a file with one of the suffixes."""
    for name in names:
        place = folder / name
        if place.is_dir() and any(x.suffix.lower() in suffixes for x in place.iterdir()):
            return name
    return None


def _coco_images(path: Path) -> Path:
    """Find the folder of a COCO file's images.

    Raises:
        ValueError: No folder or several hold the first and the last image.
    """
    names = _coco_names(path) or []
    base = path.parent.parent if path.parent.name.lower() == 'annotations' else path.parent
    places = [base, *sorted(x for x in base.iterdir() if x.is_dir())]
    found = [x for x in places if names and all((x / y).is_file() for y in (names[0], names[-1]))]
    if len(found) != 1:
        raise ValueError(
            f'{path}: the folder of its images must be one, but {len(found)} of {base} and its '
            f'{len(places) - 1} folders hold {names[:1]}; name it with --images'
        )
    return found[0]


def _from_file(path: Path, images: Path | None) -> Source:
    kind = _kind(path)
    if kind is None:
        raise ValueError(
            f'{path} must be a table ({", ".join(TABLES)}, or a .txt list of paths and indices) or '
            f'a COCO file (.json with {", ".join(sorted(SECTIONS))})'
        )
    if kind == 'table':
        root, name = images or path.parent, 'mmmsf.CsvMultiLabel'
    else:
        root, name = images or _coco_images(path), 'mmmsf.CocoMultiLabel'
    return Source(kind, path, dict(type=name, data_root=str(root.resolve())))


def _from_voc(folder: Path, images: Path | None, xml: str) -> Source:
    place = _holding(folder, IMAGE_FOLDERS, IMAGE_SUFFIXES)
    if place is None and images is None:
        raise ValueError(
            f'{folder}: XML files are in {folder / xml}, but no images in {list(IMAGE_FOLDERS)}; '
            'name their folder with --images'
        )
    arguments: dict[str, Any] = dict(type='mmmsf.VocMultiLabel', data_root=str(folder.resolve()))
    image_dir = place if images is None else str(images.resolve())
    if (image_dir, xml) != ('JPEGImages', 'Annotations'):
        arguments.update(image_dir=image_dir, ann_dir=xml)
    return Source('voc', folder, arguments, split_exists(str(folder / 'ImageSets/Main')))


def _refuse(folder: Path, found: list[Path]) -> None:
    shown = ', '.join(str(x.relative_to(folder)) for x in found[:10])
    if found:
        raise ValueError(
            f'{folder} holds {len(found)} sets of annotations ({shown}); name one of them, and '
            'with --val the one of the validation images'
        )
    inside = [x for x in sorted(folder.iterdir()) if x.is_dir() and _annotation_files(x)]
    below = ', '.join(map(str, inside[:10]))
    raise ValueError(
        f'{folder} holds no annotations: no table ({", ".join(TABLES)}), COCO file or XML files'
        + (f'; there are some in {below}: name one of these' if inside else '')
    )


def find_source(path: Path, images: Path | None = None) -> Source:
    """Recognise the annotations of a file or folder.

    Args:
        path: Annotation file, or a folder that holds one, or a folder with XML files.
        images: Folder of the images; by default it is looked for.

    Raises:
        ValueError: There are no annotations, or several; names them and the argument that
            settles it.
    """
    if path.is_file():
        return _from_file(path.resolve(), images)
    if not path.is_dir():
        raise ValueError(f'{path}: no such file or folder')
    files, xml = _annotation_files(path), _holding(path, XML_FOLDERS, ('.xml',))
    found = [*files, *([path / xml] if xml else [])]
    if len(found) != 1:
        _refuse(path, found)
    return _from_voc(path.resolve(), images, xml) if xml else _from_file(files[0].resolve(), images)
