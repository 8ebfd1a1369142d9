import json
from pathlib import Path
from typing import Any

import pytest
from _boxes import class_boxes

from mmmsf.datasets import CocoMultiLabel, CsvMultiLabel, VocMultiLabel
from tests.helpers.small_data import make_voc


def make_set(folder: Path, with_boxes: bool = True, **options: Any) -> CocoMultiLabel:
    """Class order is not that of the ids."""
    boxes = [[1, 2, 3, 4], [10, 10, 5, 5], [0, 0, 2, 2]] if with_boxes else [None] * 3
    annotations = [
        dict(id=i, image_id=7, category_id=category, **(dict(bbox=box) if box else {}))
        for i, (category, box) in enumerate(zip((5, 3, 5), boxes, strict=True))
    ]
    (folder / 'a.json').write_text(
        json.dumps(
            dict(
                images=[dict(id=7, file_name='x.png', width=20, height=20)],
                annotations=annotations,
                categories=[dict(id=3, name='cat'), dict(id=5, name='dog')],
            )
        )
    )
    return CocoMultiLabel(
        ann_file='a.json',
        data_root=str(folder),
        data_prefix='images',
        **(options or dict(classes=('dog', 'cat'))),
    )


def test_boxes_by_image_and_class(tmp_path: Path) -> None:
    dataset = make_set(tmp_path)
    assert class_boxes(dataset) == {
        dataset.get_data_info(0)['img_path']: {
            0: [(1, 2, 4, 6), (0, 0, 2, 2)],
            1: [(10, 10, 15, 15)],
        }
    }


def test_boxes_of_chosen_and_merged_classes(tmp_path: Path) -> None:
    (boxes,) = class_boxes(make_set(tmp_path, classes=['cat'])).values()
    assert boxes == {0: [(10, 10, 15, 15)]}
    names = dict(cat='pet', dog='pet')
    (boxes,) = class_boxes(make_set(tmp_path, rename_classes=names)).values()
    assert boxes == {0: [(1, 2, 4, 6), (10, 10, 15, 15), (0, 0, 2, 2)]}
    make_voc(tmp_path, 'val', num_images=1)
    voc = VocMultiLabel(str(tmp_path), 'val', classes=['bicycle'])
    assert list(class_boxes(voc).values()) == [{0: [(0, 0, 20, 20)]}]


def test_a_set_without_boxes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='no object has a box'):
        class_boxes(make_set(tmp_path, with_boxes=False))


def test_voc_boxes_count_from_the_corner_of_the_image(tmp_path: Path) -> None:
    make_voc(tmp_path, 'val', num_images=2)
    dataset = VocMultiLabel(str(tmp_path), 'val')
    first, second = (dataset.get_data_info(i)['img_path'] for i in (0, 1))
    whole = [(0, 0, 20, 20)]  # 1 to 20 in the file, both border pixels within
    assert class_boxes(dataset) == {first: {0: whole, 1: whole}, second: {1: whole, 2: whole}}


def test_data_that_have_no_boxes(tmp_path: Path) -> None:
    make_voc(tmp_path, 'test', num_images=1)
    with pytest.raises(ValueError, match='a VocMultiLabel has no boxes; they come with labelled'):
        class_boxes(VocMultiLabel(str(tmp_path), 'test', labelled=False))
    (tmp_path / 'list.csv').write_text('path,labels\nJPEGImages/test_000000.jpg,cat\n')
    with pytest.raises(ValueError, match='a CsvMultiLabel has no boxes'):
        class_boxes(CsvMultiLabel(ann_file='list.csv', data_root=str(tmp_path)))
