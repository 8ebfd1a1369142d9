"""File names in annotations: none leads out of the image folder, and links of the user work."""

import json
import os
from pathlib import Path

import pytest

from mmmsf.datasets.readers.files import check_file_name
from tests.helpers.small_data import build_dataset, make_coco, make_voc

OUTSIDE = [
    '../secret.jpg',
    'a/../../secret.jpg',
    '/etc/hostname',
    '..\\secret.jpg',
    'C:\\x.jpg',
    '\\\\host\\share\\x.jpg',
    'http://127.0.0.1:9/x.jpg',
    'a:s3://bucket/x.jpg',
    'a\0.jpg',
]


@pytest.mark.parametrize('name', OUTSIDE)
def test_file_names_of_coco_stay_inside(root: Path, name: str) -> None:
    path = root / 'annotations/instances_val2014.json'
    content = json.loads(path.read_text())
    content['images'][2]['file_name'] = name
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'instances_val2014\.json: image 2: .*file_name'):
        build_dataset('coco', root)


@pytest.mark.parametrize('name', OUTSIDE)
def test_paths_of_a_table_stay_inside(tmp_path: Path, name: str) -> None:
    (tmp_path / 't.csv').write_text(f'path,labels\na.jpg,dog\n{name},cat\n')
    with pytest.raises(ValueError, match=r't\.csv: line 3.*(file_name|not a valid row)'):
        build_dataset('csv', tmp_path)


@pytest.mark.parametrize('name', ['../secret', '/etc/hostname', '..', 'a/b', 'a\\b', 'file://x'])
def test_ids_of_voc_are_bare(root: Path, name: str) -> None:
    (root / 'ImageSets/Main/val.txt').write_text(f'val_000000\n{name}\n')
    with pytest.raises(ValueError, match=r'val\.txt: line 2 must be the bare id'):
        build_dataset('voc', root)


def test_links_of_the_user_work(tmp_path: Path) -> None:
    """Folders and files of a data root are often links to another disk."""
    far, root = tmp_path / 'far', tmp_path / 'root'
    make_coco(far, 'val', tuple('abcde'))
    make_voc(far, 'val')
    (root / 'ImageSets').mkdir(parents=True)
    for name in ('val2014', 'annotations', 'JPEGImages', 'Annotations', 'ImageSets/Main'):
        os.symlink(far / name, root / name)
    (root / 'img').mkdir()
    os.symlink(far / 'val2014/COCO_val2014_000000000000.jpg', root / 'img/a.jpg')
    (root / 't.csv').write_text('path,labels\na.jpg,dog\n')
    for kind in ('coco', 'voc', 'csv'):
        options = dict(data_prefix='img') if kind == 'csv' else {}
        assert build_dataset(kind, root, **options)[0]['img'].shape == (48, 80, 3)


@pytest.mark.parametrize(
    'name', ['', '/etc/a.jpg', 'a/../../b.jpg', '..', '..\\a.jpg', 'C:\\a.jpg', '\\\\host\\a.jpg']
)
def test_name_that_leaves_the_folder(name: str) -> None:
    with pytest.raises(ValueError, match='here: file_name must stay inside'):
        check_file_name(name, 'here')


def test_backslash(root: Path, tmp_path: Path) -> None:
    """Lists written on Windows: the file would only be missed while training."""
    table = tmp_path / 't.csv'
    table.write_text('path,labels\na\\b.jpg,dog\n')
    with pytest.raises(ValueError, match=r"t\.csv: line 2: file_name .* write 'a/b\.jpg'"):
        build_dataset('csv', tmp_path)
    path = root / 'annotations/instances_val2014.json'
    content = json.loads(path.read_text())
    content['images'][2]['file_name'] = 'a\\b.jpg'
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"image 2: file_name .* write 'a/b\.jpg'"):
        build_dataset('coco', root)


@pytest.mark.parametrize('name', ['a.jpg', 'a/b/c.jpg', 'a..b.jpg', './a.jpg', '...jpg'])
def test_name_that_stays(name: str) -> None:
    check_file_name(name, 'here')
