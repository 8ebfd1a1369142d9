"""Groups of a dataset: labels that break a rule stop it, the others are counted."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmmsf.datasets import CocoMultiLabel, CsvMultiLabel
from mmmsf.datasets.class_groups import check_group_labels
from mmmsf.utils.groups import Group
from tests.helpers.run_tool import run_tool
from tests.helpers.small_data import make_coco, make_voc, write_image

COLOUR = dict(name='colour', classes=['red', 'green'], rule='one')
SHAPE = dict(name='shape', classes=['disc', 'square'], rule='at_most_one')
HEAD = 'path,red,green,disc,square\n'


def table(folder: Path, rows: str, **options: Any) -> CsvMultiLabel:
    (folder / 't.csv').write_text(HEAD + rows)
    return CsvMultiLabel('t.csv', data_root=str(folder), data_prefix='img', **options)


def test_groups_are_kept_by_name_and_counted(tmp_path: Path, capture_log: list[str]) -> None:
    rows = 'a.jpg,1,0,0,0\nb.jpg,0,1,1,0\nc.jpg,?,?,?,0\nd.jpg,1,?,?,1\n'
    groups = [{**COLOUR, 'classes': [0, 1]}, SHAPE]
    data = table(tmp_path, rows, groups=groups)
    assert data.metainfo['groups'] == [COLOUR, SHAPE]
    assert json.loads(json.dumps(data.metainfo['groups'])) == [COLOUR, SHAPE]
    (line,) = [line for line in capture_log if 'colour' in line]
    assert 'colour (one of 2) is known in 3 images, 0 of these' in line
    assert 'shape (at most one of 2) is known in 3 images, 1 of these' in line
    assert line.count('unknown in 1') == 2
    assert 'groups' not in table(tmp_path, rows).metainfo
    in_metainfo = table(tmp_path, rows, metainfo=dict(groups=groups))
    assert in_metainfo.metainfo['groups'] == [COLOUR, SHAPE]


@pytest.mark.parametrize(
    ('row', 'named'),
    [
        ('1,1,0,0', "bad.jpg has .*'red', 'green'.*'colour'.* one "),
        ('0,0,0,0', "bad.jpg has no label.*'colour'"),
        ('1,?,1,1', "bad.jpg has .*'disc', 'square'.*'shape'.*at most one"),
    ],
)
def test_labels_that_break_a_rule_stop_the_loading(tmp_path: Path, row: str, named: str) -> None:
    with pytest.raises(ValueError, match=f't.csv.*{named}'):
        table(tmp_path, f'a.jpg,1,0,0,0\nbad.jpg,{row}\n', groups=[COLOUR, SHAPE])


def test_many_faults_are_counted_and_the_first_are_named() -> None:
    target = np.array([1, 1], np.float32)
    images = [(f'{i}.jpg', target) for i in range(2000)]
    with pytest.raises(ValueError, match=r'0\.jpg.*4\.jpg.*and 1995 more') as error:
        check_group_labels('t.csv', images, [Group('g', (0, 1), 'one')], ['a', 'b'])
    assert '5.jpg' not in str(error.value)


def test_a_group_of_unknown_classes_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="t.csv.*'colour'.*'blue'"):
        table(tmp_path, 'a.jpg,1,0,0,0\n', groups=[{**COLOUR, 'classes': ['red', 'blue']}])


def test_packed_labels_of_coco_and_voc_are_checked_too(tmp_path: Path) -> None:
    from mmmsf.registry import DATASETS

    make_coco(tmp_path, 'val', ('cat', 'dog', 'bus', 'cup', 'tie'))  # image i has i and i + 1
    coco = dict(
        ann_file='annotations/instances_val2014.json',
        data_root=str(tmp_path),
        data_prefix='val2014',
    )
    good = dict(name='g', classes=['cat', 'bus', 'tie'], rule='one')
    assert CocoMultiLabel(**coco, groups=[good]).metainfo['groups'] == [good]
    with pytest.raises(ValueError, match=r"instances_val2014.json.*000.jpg has .*'dog', 'cat'"):
        CocoMultiLabel(**coco, groups=[{**good, 'classes': ['dog', 'cat']}])
    make_voc(tmp_path, 'val')
    voc = dict(type='mmmsf.VocMultiLabel', data_root=str(tmp_path), split='val')
    with pytest.raises(ValueError, match="'aeroplane', 'bicycle'.*'g'"):
        group = dict(name='g', classes=['aeroplane', 'bicycle'], rule='at_most_one')
        DATASETS.build(dict(voc, groups=[group]))


def test_check_data_counts_groups_and_lists_every_fault(tmp_path: Path) -> None:
    (tmp_path / 'img').mkdir()
    rows = ['1,0,0,0', '1,1,0,0', '0,0,1,1', '?,0,0,0']
    for i in range(4):
        write_image(tmp_path / f'img/{i}.jpg')
    (tmp_path / 't.csv').write_text(HEAD + ''.join(f'{i}.jpg,{x}\n' for i, x in enumerate(rows)))
    dataset = dict(
        type='mmmsf.CsvMultiLabel', ann_file='t.csv', data_root=str(tmp_path), data_prefix='img'
    )
    for groups, code in (([COLOUR, SHAPE], 1), ([{**SHAPE, 'classes': ['red', 'disc']}], 0)):
        config = dict(val_dataloader=dict(dataset=dict(**dataset, groups=groups)))
        lines = '\n'.join(f'{key} = {value!r}' for key, value in config.items())
        (tmp_path / 'c.py').write_text(lines)
        done = run_tool(tmp_path, 'data/check_data.py', 'c.py', '--workers', '0')
        assert done.returncode == code, done.stderr
        if code:
            assert 'colour (one of 2): known in 1 images' in done.stdout
            assert 'unknown in 1; rule broken in 2' in done.stdout
            assert 'shape (at most one of 2): known in 3 images, 3 of these' in done.stdout
            assert "1.jpg has ['red', 'green']" in done.stdout
            assert '3 times labels break' in done.stdout
        else:
            assert 'rule broken in 0' in done.stdout
