"""What labelling tools export with boxes: the labels that were drawn, and no others."""

import csv
import json
from pathlib import Path

from mmmsf.datasets import CocoMultiLabel, VocMultiLabel
from mmmsf.datasets.base import MultiLabelData

EXPECTED = """path,labels
street_00.jpg,car
street_01.jpg,truck
street_02.jpg,motorbike;truck
street_03.jpg,bus;person
street_04.jpg,
street_05.jpg,car;motorbike
"""
LABELS = {
    row['path']: row['labels'].split(';') if row['labels'] else []
    for row in csv.DictReader(EXPECTED.splitlines())
}
CLASSES = ('bus', 'car', 'motorbike', 'person', 'truck')


def found(data: MultiLabelData) -> dict[str, list[str]]:
    infos = [data.get_data_info(i) for i in range(len(data))]
    return {
        Path(info['img_path']).name: [data.metainfo['classes'][k] for k in info['gt_label']]
        for info in infos
    }


def test_roboflow_coco(tmp_path: Path) -> None:
    """The project is category 0, and no annotation has it; ids begin at 0."""
    categories = [dict(id=0, name='street', supercategory='none')] + [
        dict(id=k, name=name, supercategory='street') for k, name in enumerate(CLASSES, start=1)
    ]
    pairs = [(i, name) for i, own in enumerate(LABELS.values()) for name in own]
    content = dict(
        info=dict(year='2024', description='Exported'),
        licenses=[dict(id=1, url='', name='MIT')],
        categories=categories,
        images=[
            dict(id=i, license=1, file_name=name, height=160, width=160, extra=dict(name=name))
            for i, name in enumerate(LABELS)
        ],
        annotations=[
            dict(
                id=n,
                image_id=i,
                category_id=CLASSES.index(name) + 1,
                bbox=[10, 10, 80.5, 60],
                area=4830,
                segmentation=[],
                iscrowd=0,
            )
            for n, (i, name) in enumerate(pairs)
        ],
    )
    (tmp_path / '_annotations.coco.json').write_text(json.dumps(content))
    options = dict(ann_file='_annotations.coco.json', data_root=str(tmp_path))
    data = CocoMultiLabel(**options, drop_absent=True)
    assert data.metainfo['classes'] == CLASSES and found(data) == LABELS
    assert found(CocoMultiLabel(**options, classes=CLASSES)) == LABELS
    assert CocoMultiLabel(**options).metainfo['classes'] == ('street', *CLASSES)


def test_labelimg_beside_the_images(tmp_path: Path) -> None:
    """Blanks in names, an attribute, an empty difficult tag, a fraction, a path of Windows."""
    expected = {name.replace('_', ' '): own for name, own in LABELS.items()}
    for name, own in expected.items():
        stem = Path(name).stem
        objects = ''.join(
            f'<object><name>{label}</name><difficult/><bndbox><xmin>10.5</xmin><ymin>10</ymin>'
            '<xmax>90</xmax><ymax>70</ymax></bndbox></object>'
            for label in own
        )
        (tmp_path / name).touch()
        (tmp_path / f'{stem}.xml').write_text(
            f'<annotation verified="yes"><folder>street</folder><filename>{stem}</filename>'
            f'<path>C:\\photos\\{name}</path><source><database>Unknown</database></source><size>'
            f'<width>160</width><height>160</height><depth>3</depth></size>{objects}</annotation>'
        )
    options = dict(data_root=str(tmp_path), image_dir='.', ann_dir='.', classes=CLASSES)
    assert found(VocMultiLabel(split=None, **options)) == expected
    train, val = (
        found(VocMultiLabel(split=split, split_ratio=0.34, **options)) for split in ('train', 'val')
    )
    assert train | val == expected and len(train) == 4 and len(val) == 2
