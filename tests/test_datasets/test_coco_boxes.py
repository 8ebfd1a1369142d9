import json
from pathlib import Path

import pytest

from mmmsf.datasets import CocoMultiLabel
from mmmsf.datasets.coco_boxes import class_boxes


def make_set(folder: Path, with_boxes: bool = True) -> CocoMultiLabel:
    """Class order is not that of the ids."""
    boxes = [[1, 2, 3, 4], [10, 10, 5, 5], [0, 0, 2, 2]] if with_boxes else [None] * 3
    annotations = [dict(id=i, image_id=7, category_id=category, **(dict(bbox=box) if box else {}))
                   for i, (category, box) in enumerate(zip((5, 3, 5), boxes, strict=True))]
    (folder / 'a.json').write_text(json.dumps(dict(
        images=[dict(id=7, file_name='x.png', width=20, height=20)], annotations=annotations,
        categories=[dict(id=3, name='cat'), dict(id=5, name='dog')])))
    return CocoMultiLabel(ann_file='a.json', data_root=str(folder), data_prefix='images',
                          metainfo=dict(classes=('dog', 'cat')))


def test_boxes_by_image_and_class(tmp_path: Path) -> None:
    dataset = make_set(tmp_path)
    assert class_boxes(dataset) == {
        dataset.get_data_info(0)['img_path']: {0: [(1, 2, 4, 6), (0, 0, 2, 2)],
                                               1: [(10, 10, 15, 15)]}}


def test_a_set_without_boxes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='no instance has a `bbox`'):
        class_boxes(make_set(tmp_path, with_boxes=False))
