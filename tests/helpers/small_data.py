"""Small data in the genuine layouts, for tests of configs and tools."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmmsf.datasets import VOC_CLASSES
from mmmsf.registry import DATASETS


def write_image(path: Path) -> None:
    """A JPEG of noise, 80 x 48 px."""
    pixels = np.random.default_rng(0).integers(0, 255, (48, 80, 3), dtype=np.uint8)
    cv2.imwrite(str(path), pixels)


def make_coco(root: Path, split: str, classes: tuple[str, ...], num_images: int = 4) -> None:
    """A small set in COCO 2014's layout: annotations/instances_<split>2014.json, <split>2014/."""
    folder = root / f'{split}2014'
    folder.mkdir(parents=True)
    (root / 'annotations').mkdir(exist_ok=True)
    categories = [dict(id=i + 1, name=name) for i, name in enumerate(classes)]
    images, annotations = [], []
    for i in range(num_images):
        name = f'COCO_{split}2014_{i:012d}.jpg'
        write_image(folder / name)
        images.append(dict(id=i, file_name=name, width=80, height=48))
        for k in (i, i + 1):
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=i,
                    category_id=categories[k]['id'],
                    bbox=[0, 0, 10, 10],
                    area=100,
                    iscrowd=0,
                )
            )
    (root / f'annotations/instances_{split}2014.json').write_text(
        json.dumps(dict(images=images, annotations=annotations, categories=categories))
    )


def make_voc(root: Path, split: str, num_images: int = 4) -> None:
    """A small set in VOC's layout: ImageSets/Main/<split>.txt, JPEGImages, Annotations."""
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True, exist_ok=True)
    ids = [f'{split}_{i:06d}' for i in range(num_images)]
    for i, image_id in enumerate(ids):
        write_image(root / f'JPEGImages/{image_id}.jpg')
        objects = ''.join(
            f'<object><name>{VOC_CLASSES[k]}</name><difficult>0</difficult><bndbox><xmin>1</xmin>'
            '<ymin>1</ymin><xmax>20</xmax><ymax>20</ymax></bndbox></object>'
            for k in (i, i + 1)
        )
        (root / f'Annotations/{image_id}.xml').write_text(f'<annotation>{objects}</annotation>')
    (root / f'ImageSets/Main/{split}.txt').write_text('\n'.join(ids) + '\n')


def build_dataset(kind: str, root: Path, **options: Any) -> Any:
    """Build a data set through the registry, as a config does.

    Args:
        kind: 'coco' or 'voc' for the sets of this file, 'csv' for a table ``t.csv``.
        root: Folder of the set.
        options: Other or further arguments.
    """
    defaults: dict[str, dict[str, Any]] = dict(
        coco=dict(
            type='mmmsf.CocoMultiLabel',
            ann_file='annotations/instances_val2014.json',
            data_prefix='val2014',
        ),
        voc=dict(type='mmmsf.VocMultiLabel', split='val'),
        csv=dict(type='mmmsf.CsvMultiLabel', ann_file='t.csv', data_prefix='val2014'),
    )
    common = dict(data_root=str(root), pipeline=[dict(type='mmmsf.LoadImage')])
    return DATASETS.build({**defaults[kind], **common, **options})
