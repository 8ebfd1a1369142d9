import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.apis.base import BaseInferencer
from mmpretrain.structures import DataSample
from PIL import Image

import mmmsf
from mmmsf.apis import load_model
from mmmsf.apis.inputs import expand_inputs, to_bgr
from mmmsf.datasets.transforms import ImageReadError, decode_image
from mmmsf.engine import launch
from tests.helpers.small_checkpoint import CLASSES, small_config, write_checkpoint

QUIET = dict(show_progress=False)


def write_images(folder: Path) -> list[Path]:
    """One image of each kind that loaders tend to disagree about."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (40, 56, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[274] = 6  # rotated by a quarter
    image.save(folder / 'a_rgb.png')
    image.save(folder / 'b_exif.jpg', exif=exif)
    image.convert('L').save(folder / 'c_grey.jpg')
    image.convert('CMYK').save(folder / 'd_cmyk.jpg')
    Image.fromarray(rng.integers(0, 65535, (30, 30), dtype=np.uint16)).save(folder / 'e_16.png')
    image.convert('P').save(folder / 'f_palette.png')
    image.convert('RGBA').save(folder / 'g_alpha.png')
    return sorted(folder.iterdir())


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('inferencer')
    write_images(folder / 'images')
    write_checkpoint(folder / 'model.pth', thresholds=[0.5, 0.4, 0.6, 0.5, 0.5])
    return folder


@pytest.fixture(scope='module')
def inferencer(folder: Path) -> mmmsf.MultiLabelInferencer:
    return mmmsf.MultiLabelInferencer(pretrained=folder / 'model.pth', device='cpu')


def scores_of_a_test_run(folder: Path, paths: list[Path]) -> np.ndarray:
    """The scores that a test run gives, (N, K)."""
    lines = [f'images/{path.name},{CLASSES[i % 5]}' for i, path in enumerate(paths)]
    (folder / 'list.csv').write_text('path,labels\n' + '\n'.join(lines) + '\n')
    cfg = small_config()
    cfg.merge_from_dict(
        dict(
            work_dir=str(folder / 'work'),
            load_from=str(folder / 'model.pth'),
            test_cfg=dict(),
            test_evaluator=dict(type='mmmsf.MultiLabelMetric'),
        )
    )
    cfg.test_dataloader.dataset.update(
        data_root=str(folder), ann_file='list.csv', metainfo=dict(classes=CLASSES), test_mode=True
    )
    launch.set_dataloader_defaults(cfg)
    runner = launch.build_runner(cfg)
    (metric,) = runner.test_evaluator.metrics
    metric.keep_rows = True
    runner.test()
    return metric.rows.scores


@pytest.mark.parametrize('batch_size', [1, 3])
def test_scores_are_those_of_a_test_run(folder: Path, inferencer: Any, batch_size: int) -> None:
    paths = sorted((folder / 'images').iterdir())
    results = inferencer(str(folder / 'images'), batch_size=batch_size, return_scores=True, **QUIET)
    assert [result['path'] for result in results] == [str(path) for path in paths]
    np.testing.assert_allclose(
        np.stack([result['all_scores'] for result in results]),
        scores_of_a_test_run(folder, paths),
        atol=1e-5,
    )


def test_labels_are_those_above_their_thresholds(folder: Path, inferencer: Any) -> None:
    assert isinstance(inferencer, BaseInferencer)
    np.testing.assert_allclose(inferencer.thresholds, [0.5, 0.4, 0.6, 0.5, 0.5])
    for result in inferencer(folder / 'images', return_scores=True, **QUIET):
        scores = result['all_scores']
        expected = sorted(np.flatnonzero(scores >= inferencer.thresholds), key=lambda k: -scores[k])
        assert result['indices'] == expected
        assert result['labels'] == [CLASSES[k] for k in expected]
        np.testing.assert_array_equal(result['scores'], scores[expected])


def test_thresholds_and_topk_of_the_caller(folder: Path) -> None:
    path = folder / 'images/a_rgb.png'

    def labels(thresholds: Any, **kwargs: Any) -> list[int]:
        made = mmmsf.MultiLabelInferencer(pretrained=folder / 'model.pth', thresholds=thresholds)
        return sorted(made(path, **kwargs, **QUIET)[0]['indices'])

    assert labels(0.0) == [0, 1, 2, 3, 4]
    assert labels([2, 2, 0, 2, 2]) == [2]
    assert 2 not in labels({'red bus': 1.5}) and len(labels({'red bus': 1.5}, topk=3)) == 3
    for wrong in ({'bus': 0.5}, [0.5, 0.5], float('nan')):
        with pytest.raises(ValueError, match='`thresholds`'):
            labels(wrong)


def test_arrays_and_pil_images_equal_their_files(folder: Path, inferencer: Any) -> None:
    for name in ('a_rgb.png', 'e_16.png', 'f_palette.png', 'g_alpha.png'):
        path = folder / 'images' / name
        array = decode_image(path.read_bytes(), name)
        pil = Image.open(path)
        np.testing.assert_array_equal(to_bgr(pil), array)
        found = inferencer([str(path), array, pil], batch_size=3, return_scores=True, **QUIET)
        assert [result['path'] for result in found] == [str(path), None, None]
        for other in found[1:]:
            np.testing.assert_array_equal(other['all_scores'], found[0]['all_scores'])
    rotated = to_bgr(Image.open(folder / 'images/b_exif.jpg'))
    assert rotated.shape == (56, 40, 3)


def test_folders_patterns_and_lists(folder: Path, tmp_path: Path) -> None:
    (tmp_path / 'sub').mkdir()
    for name in ('b.png', 'sub/a.JPG', 'odd[1].png', 'notes.txt'):
        shutil.copy(folder / 'images/a_rgb.png', tmp_path / name)
    expected = [str(tmp_path / name) for name in ('b.png', 'odd[1].png', 'sub/a.JPG')]
    assert expand_inputs(tmp_path) == expected
    assert expand_inputs(str(tmp_path / '**/*.JPG')) == expected[2:]
    assert expand_inputs([expected[1], tmp_path / 'b.png']) == [expected[1], expected[0]]
    with pytest.raises(ValueError, match='no file matches the pattern'):
        expand_inputs(str(tmp_path / '*.gif'))
    (tmp_path / 'none').mkdir()
    with pytest.raises(ValueError, match='holds no image'):
        expand_inputs(tmp_path / 'none')
    with pytest.raises(TypeError, match='got int'):
        expand_inputs(3)


def test_unreadable_images_do_not_cost_the_batch(
    folder: Path, inferencer: Any, tmp_path: Path
) -> None:
    good = folder / 'images/a_rgb.png'
    broken = tmp_path / 'broken.png'
    broken.write_bytes(good.read_bytes()[:200])
    inputs = [good, broken, tmp_path / 'missing.png', np.zeros((4, 4), np.uint8), good]
    results = inferencer(inputs, batch_size=5, on_error='record', **QUIET)
    assert ['error' in result for result in results] == [False, True, True, True, False]
    assert results[0]['labels'] == results[4]['labels']
    assert results[1]['path'] == str(broken) and 'truncated' in results[1]['error']
    assert 'no such file' in results[2]['error'] and 'uint8' in results[3]['error']
    with pytest.raises(ImageReadError, match='truncated'):
        inferencer(inputs, **QUIET)


def test_images_of_unlike_size_are_not_padded(folder: Path) -> None:
    cfg = small_config([dict(type='mmmsf.LoadImage'), dict(type='PackInputs')])
    loaded = load_model(folder / 'model.pth', cfg, 'cpu')
    made = mmmsf.MultiLabelInferencer(loaded)
    paths = sorted((folder / 'images').iterdir())
    together = made(paths, batch_size=len(paths), return_scores=True, **QUIET)
    for path, result in zip(paths, together, strict=True):
        (alone,) = made(path, return_scores=True, **QUIET)
        np.testing.assert_allclose(alone['all_scores'], result['all_scores'], atol=1e-5)


def test_attention_and_boxes(folder: Path, inferencer: Any) -> None:
    (result,) = inferencer(
        folder / 'images/b_exif.jpg',
        topk=2,
        return_attention=True,
        return_boxes=True,
        return_scores=True,
        **QUIET,
    )
    (plain,) = inferencer(folder / 'images/b_exif.jpg', return_scores=True, **QUIET)
    np.testing.assert_allclose(result['all_scores'], plain['all_scores'], atol=1e-6)
    assert [x.shape for x in result['attention']] == [(5, 8, 8), (5, 4, 4), (5, 2, 2)]
    for x in result['attention']:
        np.testing.assert_allclose(x.sum(axis=(1, 2)), np.ones(5), atol=1e-5)
    assert result['region'] == (0, 0, 40, 56)  # of the rotated photograph
    assert len(result['boxes']) == 2
    for left, top, right, bottom in result['boxes']:
        assert 0 <= left < right <= 40 and 0 <= top < bottom <= 56


def test_a_box_is_where_the_attention_is(inferencer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = [torch.full((1, 5, 8, 8), 1e-3), torch.full((1, 5, 4, 4), 1 / 16)]
    maps[0][..., 7, 0] = 1.0  # bottom left
    monkeypatch.setattr(inferencer.model.head, 'attention_maps', lambda feats, layer: maps)
    (result,) = inferencer(np.zeros((80, 160, 3), np.uint8), topk=1, return_boxes=True, **QUIET)
    left, top, right, bottom = result['boxes'][0]
    assert (left, bottom) == (0, 80) and right < 40 and top > 60


def test_pictures_of_equal_names_do_not_meet(folder: Path, inferencer: Any, tmp_path: Path) -> None:
    path = folder / 'images/a_rgb.png'
    inferencer(
        [path, path, np.zeros((9, 9, 3), np.uint8)],
        show_dir=tmp_path / 'show',
        return_attention=True,
        **QUIET,
    )
    assert sorted(file.name for file in (tmp_path / 'show').iterdir()) == [
        '000000_a_rgb.png',
        '000001_a_rgb.png',
        '000002.png',
    ]
    picture = cv2.imread(str(tmp_path / 'show/000000_a_rgb.png'))
    assert picture.shape[1] > 240


def test_data_samples_on_request(folder: Path, inferencer: Any) -> None:
    (sample,) = inferencer(folder / 'images/a_rgb.png', True, **QUIET)
    (result,) = inferencer(folder / 'images/a_rgb.png', **QUIET)
    assert isinstance(sample, DataSample)
    assert sample.pred_label.tolist() == result['indices']


def test_models_are_named_in_many_ways(folder: Path, inferencer: Any, tmp_path: Path) -> None:
    path, checkpoint = folder / 'images/a_rgb.png', folder / 'model.pth'
    cfg = small_config()
    cfg.dump(tmp_path / 'cfg.py')
    expected = inferencer(path, return_scores=True, **QUIET)[0]['all_scores']
    with_source = Config({**cfg.to_dict(), 'load_from': str(checkpoint)})
    for model, pretrained in (
        (tmp_path / 'cfg.py', checkpoint),
        (cfg, checkpoint),
        (with_source, None),
        (checkpoint, None),
        (load_model(checkpoint, device='cpu'), None),
    ):
        made = mmmsf.MultiLabelInferencer(model, pretrained, 'cpu')
        np.testing.assert_allclose(
            made(path, return_scores=True, **QUIET)[0]['all_scores'], expected, atol=1e-6
        )


@pytest.mark.slow
def test_a_model_of_mmpretrain() -> None:
    from mmpretrain.apis import get_model

    model = get_model('resnet18_8xb32_in1k')
    made = mmmsf.MultiLabelInferencer(model)
    (result,) = made(np.zeros((32, 32, 3), np.uint8), topk=2, return_scores=True, **QUIET)
    assert len(made.classes) == 1000
    assert result['all_scores'].sum() == pytest.approx(1.0, abs=1e-5)
    (result,) = made(np.zeros((32, 32, 3), np.uint8), return_attention=True, **QUIET)
    assert [x.shape for x in result['attention']] == [(1000, 7, 7)]  # activation maps
    with pytest.raises(
        ValueError, match='the test pipeline must read an image'
    ):  # arrays in memory
        mmmsf.MultiLabelInferencer(get_model('resnet18_8xb16_cifar10'))


def test_wrong_arguments(folder: Path, inferencer: Any) -> None:
    for model, pretrained, message in (
        (None, None, '`model` or `pretrained` must be given'),
        (small_config(), None, '`pretrained` must name a checkpoint'),
        ('no-such-model', None, 'one of MMPretrain.*no-such-model'),
        (torch.nn.Linear(1, 1), None, 'pass a LoadedModel'),
        (inferencer.loaded, folder / 'model.pth', '`pretrained` must be None'),
    ):
        with pytest.raises(ValueError, match=message):
            mmmsf.MultiLabelInferencer(model, pretrained)
    path = folder / 'images/a_rgb.png'
    for kwargs, name in (
        (dict(on_error='skip'), 'on_error'),
        (dict(batch_size=0), 'batch_size'),
        (dict(topk=0), 'topk'),
        (dict(box_fraction=2.0), 'box_fraction'),
    ):
        with pytest.raises(ValueError, match=f'`{name}` must be'):
            inferencer(path, **kwargs, **QUIET)
