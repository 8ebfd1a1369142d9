"""The benchmark of COCO's start-up: the file it makes, and one start of each kind."""

import importlib.util
import json

import pytest

from mmmsf.datasets import CocoMultiLabel
from mmmsf.datasets.readers import cache as annotation_cache
from tests.helpers.run_tool import TOOLS, run_tool

TOOL = 'benchmark/coco_startup.py'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """With an instances file of 200 images, 3 of them without an instance."""
    spec = importlib.util.spec_from_file_location('coco_like', TOOLS / 'benchmark/_coco_like.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = tmp_path_factory.mktemp('coco')
    module.write_coco_like(path / 'instances.json', images=200, instances=1000, empty=3)
    return path


def test_file_has_the_counts(folder):
    content = json.loads((folder / 'instances.json').read_text())
    assert [len(content[key]) for key in ('images', 'annotations', 'categories')] == [200, 1000, 80]
    assert set(content['annotations'][0]) == {
        'segmentation',
        'area',
        'iscrowd',
        'image_id',
        'bbox',
        'category_id',
        'id',
    }
    data = CocoMultiLabel(str(folder / 'instances.json'), cache_dir=None)
    assert sum(not data.get_cat_ids(i) for i in range(200)) == 3


@pytest.mark.slow
def test_each_start(folder, monkeypatch):
    monkeypatch.setattr(annotation_cache, 'MIN_BYTES', 0)
    found = {}
    for side in ('pycocotools COCO(path)', 'CocoMultiLabel, first', 'CocoMultiLabel, second'):
        run = run_tool(folder, TOOL, '--start', side, '--work-dir', str(folder))
        found[side] = json.loads(run.stdout.splitlines()[-1])
        assert set(found[side]) == {'seconds', 'grown', 'held', 'peak'}
    assert len(list((folder / 'cache').iterdir())) == 1
    peer, first, second = (run['held'] for run in found.values())
    assert peer == 0 and 200 * 30 < first == second < 200 * 200


def test_unreasonable_numbers_are_refused(tmp_path):
    run = run_tool(tmp_path, TOOL, '--instances', '3')
    assert run.returncode == 2 and '--instances at least --images' in run.stderr
