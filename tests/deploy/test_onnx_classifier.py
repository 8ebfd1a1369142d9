"""The stand-alone classifier against the torch pipeline, on files of all kinds."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import TRANSFORMS, DefaultScope
from PIL import Image
from torch.testing import assert_close

from mmmsf.apis import load_model
from mmmsf.datasets.transforms import decode_image
from mmmsf.deploy.export_check import torch_scores
from mmmsf.deploy.pipeline_images import to_image
from tests.helpers.small_checkpoint import CLASSES, small_config, write_checkpoint

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')

from mmmsf.deploy.export import META_KEY, export_onnx  # noqa: E402
from mmmsf.deploy.onnx_classifier import OnnxClassifier, decode  # noqa: E402

FILE = Path(__file__).resolve().parents[2] / 'mmmsf/deploy/onnx_classifier.py'
KINDS = (
    'rgb.png',
    'rgb.jpg',
    'grey.png',
    'cmyk.jpg',
    'palette.png',
    'alpha.png',
    'rotated.jpg',
    'deep.png',
    'deep_grey.tif',
    'one_pixel.png',
    'rgb.webp',
    'palette.gif',
)


def write_images(folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    image = Image.fromarray(np.kron(pixels, np.ones((11, 11, 1), np.uint8)))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(folder / 'rgb.png')
    image.save(folder / 'rgb.jpg', quality=80)
    image.save(folder / 'rgb.webp', lossless=True)
    image.convert('L').save(folder / 'grey.png')
    image.convert('CMYK').save(folder / 'cmyk.jpg')
    image.quantize(16).save(folder / 'palette.png')
    image.quantize(16).save(folder / 'palette.gif')
    image.putalpha(128)
    image.save(folder / 'alpha.png')
    image.convert('RGB').save(folder / 'rotated.jpg', exif=exif)
    image.crop((0, 0, 1, 1)).save(folder / 'one_pixel.png')
    deep = np.random.default_rng(1).integers(0, 65536, (40, 50, 3)).astype(np.uint16)
    cv2.imwrite(str(folder / 'deep.png'), deep)
    cv2.imwrite(str(folder / 'deep_grey.tif'), deep[..., 0])


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images of all kinds, a checkpoint x.pth and its exported model m.onnx."""
    folder = tmp_path_factory.mktemp('classifier')
    write_images(folder)
    cfg = small_config(num_encoder_layers=0, num_decoder_layers=1)
    checkpoint = write_checkpoint(folder / 'x.pth', cfg, thresholds=[0.5, 0.2, 0.5, 0.7, 0.5])
    export_onnx(load_model(checkpoint, device='cpu'), folder / 'm.onnx', files=[folder / 'rgb.png'])
    return folder


def torch_scores_of(checkpoint: Path, image: Path) -> np.ndarray:
    loaded = load_model(checkpoint, device='cpu')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        pipeline = Compose([TRANSFORMS.build(step) for step in loaded.pipeline])
    return torch_scores(loaded.model, to_image(pipeline(dict(img_path=str(image))))[None])[0]


@pytest.mark.parametrize('name', KINDS)
def test_a_file_gets_the_scores_of_the_torch_pipeline(folder: Path, name: str) -> None:
    path = folder / name
    np.testing.assert_array_equal(decode(path.read_bytes()), decode_image(path.read_bytes(), name))
    result = OnnxClassifier(folder / 'm.onnx', threads=1)(path)
    expected = torch_scores_of(folder / 'x.pth', path)
    assert_close(result['all_scores'], expected, rtol=0, atol=1e-5)
    thresholds = [0.5, 0.2, 0.5, 0.7, 0.5]
    order = [k for k in np.argsort(-expected) if expected[k] >= thresholds[k]]
    assert result['labels'] == [CLASSES[k] for k in order]
    assert result['scores'] == pytest.approx(expected[order].tolist(), abs=1e-5)


@pytest.mark.slow
def test_pixels_of_the_authors_profile(folder: Path, tmp_path: Path) -> None:
    """Resized by Pillow and without EXIF rotation, as the checkpoint's test pipeline has it."""
    resize = dict(type='Resize', scale=(24, 24), interpolation='bilinear', backend='pillow')
    pipeline = [
        dict(type='mmmsf.LoadImage', ignore_orientation=True),
        resize,
        dict(type='PackInputs'),
    ]
    cfg = small_config(pipeline, num_encoder_layers=0, num_decoder_layers=1)
    checkpoint = write_checkpoint(tmp_path / 'x.pth', cfg)
    export_onnx(
        load_model(checkpoint, device='cpu'), tmp_path / 'm.onnx', files=[folder / 'rotated.jpg']
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        steps = Compose([TRANSFORMS.build(step) for step in pipeline])
    expected = to_image(steps(dict(img_path=str(folder / 'rotated.jpg'))))[..., ::-1]
    found = OnnxClassifier(tmp_path / 'm.onnx').prepare(folder / 'rotated.jpg')
    np.testing.assert_array_equal(found[0].transpose(1, 2, 0), expected)


def test_an_array_is_bgr_as_a_decoded_file_is(folder: Path) -> None:
    classifier = OnnxClassifier(folder / 'm.onnx')
    array = decode((folder / 'rgb.png').read_bytes())
    expected = classifier(folder / 'rgb.png')['all_scores']
    np.testing.assert_array_equal(classifier(array)['all_scores'], expected)
    assert np.abs(classifier(array[..., ::-1])['all_scores'] - expected).max() > 1e-4
    for wrong in (array.astype(np.float32), array[..., 0], array[:0]):
        with pytest.raises(ValueError, match=r'must be uint8 of shape \(H, W, 3\)'):
            classifier(wrong)


def test_thresholds_decide(folder: Path) -> None:
    classifier = OnnxClassifier(folder / 'm.onnx')
    classifier.thresholds[:] = 2
    assert classifier(folder / 'rgb.png')['labels'] == []
    classifier.thresholds[:] = 0
    result = classifier(folder / 'rgb.png')
    assert sorted(result['labels']) == sorted(CLASSES)
    assert result['scores'] == sorted(result['scores'], reverse=True)


def test_it_runs_without_torch_and_this_package(folder: Path) -> None:
    program = f"""
import importlib.util, json, sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(('torch', 'mm')):
            raise ImportError('blocked: ' + name)

sys.meta_path.insert(0, Block())
spec = importlib.util.spec_from_file_location('onnx_classifier', {str(FILE)!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
result = module.OnnxClassifier('m.onnx')('cmyk.jpg')
print(json.dumps([result['labels'], result['all_scores'].tolist()]))
"""
    done = subprocess.run(
        [sys.executable, '-c', program], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    labels, scores = json.loads(done.stdout)
    here = OnnxClassifier(folder / 'm.onnx')(folder / 'cmyk.jpg')
    assert labels == here['labels']
    assert scores == pytest.approx(here['all_scores'].tolist(), abs=1e-6)


def test_bad_files_are_refused(folder: Path, tmp_path: Path) -> None:
    classifier = OnnxClassifier(folder / 'm.onnx')
    whole = (folder / 'rgb.jpg').read_bytes()
    for name, content in (
        ('cut.jpg', whole[: len(whole) // 2]),
        ('text.png', b'hello'),
        ('empty.png', b''),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f'{name}: no whole image'):
            classifier(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        classifier(tmp_path / 'none.png')


def test_many_images_keep_their_order(folder: Path, tmp_path: Path) -> None:
    classifier = OnnxClassifier(folder / 'm.onnx', threads=1)
    (tmp_path / 'text.png').write_bytes(b'hello')
    images = [*(folder / name for name in KINDS), tmp_path / 'text.png', folder / 'rgb.png']
    for workers, ahead in ((1, 1), (3, 2), (2, 50)):
        results = list(classifier.predict_many(iter(images), workers, ahead))
        assert len(results) == len(images) and 'text.png' in results[-2]['error']
        for image, result in zip(images, results, strict=True):
            if 'error' not in result:
                expected = classifier(image)
                assert result['labels'] == expected['labels']
                np.testing.assert_array_equal(result['all_scores'], expected['all_scores'])
    assert list(classifier.predict_many([])) == []
    for wrong in (dict(workers=0), dict(ahead=0)):
        with pytest.raises(ValueError, match='must be at least 1, got 0'):
            next(classifier.predict_many(images, **wrong))


def test_work_ahead_is_bounded_and_stops_with_the_caller(folder: Path) -> None:
    asked = []

    def images():
        for name in KINDS * 3:
            asked.append(name)
            yield folder / name

    results = OnnxClassifier(folder / 'm.onnx', threads=1).predict_many(images(), ahead=4)
    next(results)
    next(results)
    assert len(asked) == 6  # two done, four ahead
    results.close()
    assert len(asked) == 6


def rewrite(folder: Path, out: Path, meta: dict[str, Any] | None) -> Path:
    proto = onnx.load(folder / 'm.onnx')
    stored = json.loads({p.key: p.value for p in proto.metadata_props}[META_KEY])
    del proto.metadata_props[:]
    if meta is not None:
        onnx.helper.set_model_props(proto, {META_KEY: json.dumps({**stored, **meta})})
    onnx.save(proto, out)
    return out


def test_bad_models_are_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / 'm.onnx'
    with pytest.raises(ValueError, match='has no metadata of this package'):
        OnnxClassifier(rewrite(folder, out, None))
    with pytest.raises(ValueError, match=r'formats \(1, 2\), got 9'):
        OnnxClassifier(rewrite(folder, out, dict(format=9)))
    with pytest.raises(ValueError, match='must have 64 x 64 px .* got 77 x 99'):
        OnnxClassifier(rewrite(folder, out, dict(resize=None)))(folder / 'rgb.png')
