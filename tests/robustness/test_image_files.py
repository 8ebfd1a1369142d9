"""Image files, odd, damaged, oversized and fuzzed, through the data sets and the inferencer."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from _check import inspect_image
from PIL import EpsImagePlugin, Image, ImageFile

from mmmsf.apis import MultiLabelInferencer, load_model
from mmmsf.datasets import ImageReadError, LoadImage, decode_image
from mmmsf.registry import TRANSFORMS
from mmmsf.report.examples import find_mistakes
from mmmsf.report.numbers import number_run
from tests.helpers.fuzzing import LENGTHS, attempt, damaged_bytes, fuzz
from tests.helpers.small_checkpoint import small_config, write_checkpoint
from tests.helpers.small_data import build_dataset
from tests.helpers.small_predictions import make_mixed

RAMP = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))  # (48, 64)
RGB = np.stack([RAMP, 255 - RAMP, RAMP // 2], axis=-1)
PICTURE = Image.fromarray(RGB)
QUIET = dict(show_progress=False)


def encode(image: Image.Image, image_format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


def turned() -> bytes:
    tags = Image.Exif()
    tags[0x0112] = 6  # stored a quarter turn to the left
    return encode(Image.fromarray(np.rot90(RGB).copy()), 'PNG', exif=tags)


GREY = np.stack([RAMP] * 3, axis=-1)
VALID = {
    'rgb.png': (encode(PICTURE, 'PNG'), RGB, 0),
    'grey.png': (encode(Image.fromarray(RAMP), 'PNG'), GREY, 0),
    'grey.jpg': (encode(Image.fromarray(RAMP), 'JPEG', quality=95), GREY, 6),
    'palette.png': (encode(PICTURE.quantize(256), 'PNG'), RGB, 8),
    'palette.gif': (encode(PICTURE.quantize(256), 'GIF'), RGB, 8),
    'cmyk.jpg': (encode(PICTURE.convert('CMYK'), 'JPEG', quality=95), RGB, 10),
    '16bit.png': (cv2.imencode('.png', RAMP.astype(np.uint16) * 257)[1].tobytes(), GREY, 1),
    'alpha.png': (encode(Image.fromarray(np.dstack([RGB, RAMP])), 'PNG'), RGB, 0),
    'exif.png': (turned(), RGB, 0),
    'png named.jpg': (encode(PICTURE, 'PNG'), RGB, 0),
}
WHOLE = encode(
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)), 'JPEG'
)
FETCH, REPLACE = 'fetch (it|the file) again', 'replace the file or take it out of the list'
BAD = {
    'missing.jpg': (None, 'no such file; check data_root and data_prefix'),
    'empty.jpg': (b'', rf'the file is empty \(0 bytes\); {FETCH}'),
    'cut.jpg': (WHOLE[: len(WHOLE) // 2], rf'the JPEG data are truncated or corrupt .*{FETCH}'),
    'header only.jpg': (WHOLE[:30], rf'not an image, or cut short .*{REPLACE}'),
    'text.jpg': (b'this is a text', rf"not an image.* begins with b'this is a te'.*{REPLACE}"),
    'html.png': (b'<html>404 Not Found</html>', rf"not an image.*b'<html>404.*{REPLACE}"),
    'svg.png': (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 'not an image'),
    'folder.jpg': ('folder', 'cannot be read: .*directory'),
    'float.tif': (
        encode(Image.fromarray(RAMP.astype(np.float32)), 'TIFF'),
        'cannot decode; save the image as 8-bit JPEG or PNG|cv2 failed',
    ),
}


def write(folder: Path, name: str, content: bytes | str | None) -> str:
    path = folder / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
    return str(path)


def dataset(folder: Path, name: str) -> Any:
    (folder / 't.csv').write_text(f'path,labels\n{name},dog\n')
    return build_dataset('csv', folder, data_prefix='')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp('model') / 'x.pth')


@pytest.fixture(scope='module')
def inferencer(checkpoint: Path) -> MultiLabelInferencer:
    return MultiLabelInferencer(pretrained=checkpoint, device='cpu')


@pytest.mark.parametrize('name', VALID)
def test_all_become_three_channels(
    tmp_path: Path, inferencer: MultiLabelInferencer, name: str
) -> None:
    content, expected, tolerance = VALID[name]
    path = write(tmp_path, name, content)
    for image in (dataset(tmp_path, name)[0]['img'], inferencer.read(path)['img']):
        assert image.dtype == np.uint8 and image.shape == (48, 64, 3)
        assert np.abs(image[..., ::-1].astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize('name', BAD)
def test_training_and_prediction_say_which_image(
    tmp_path: Path, inferencer: MultiLabelInferencer, name: str
) -> None:
    content, message = BAD[name]
    path = write(tmp_path, name, content)
    with pytest.raises(ValueError, match=message) as caught:
        dataset(tmp_path, name)[0]
    assert str(caught.value).startswith(path)
    if content == 'folder':
        message = f'the folder {path} holds no image'
    with pytest.raises(ValueError, match=message) as caught:
        inferencer(path, **QUIET)
    assert path in str(caught.value)


def test_bad_images_among_good_ones(tmp_path: Path, inferencer: MultiLabelInferencer) -> None:
    for name in ('cut.jpg', 'text.jpg', 'empty.jpg'):
        write(tmp_path, name, BAD[name][0])
    good = [name for name in VALID if not name.startswith('exif')]
    for name in good:
        write(tmp_path, name, VALID[name][0])
    found = inferencer(str(tmp_path), on_error='record', batch_size=4, **QUIET)
    assert len(found) == 3 + len(good)
    failed = {Path(result['path']).name for result in found if 'error' in result}
    assert failed == {'cut.jpg', 'text.jpg', 'empty.jpg'}
    assert all(result['path'] in result['error'] for result in found if 'error' in result)
    whole = [result for result in found if 'error' not in result]
    alone = inferencer([result['path'] for result in whole], **QUIET)
    assert [one['labels'] for one in alone] == [one['labels'] for one in whole]
    for one, other in zip(alone, whole, strict=True):
        np.testing.assert_allclose(one['scores'], other['scores'], atol=1e-5)


@pytest.mark.parametrize('name', ['a\0b.jpg', '\ud800.jpg', 'x' * 300 + '.jpg'])
def test_names_that_no_file_has(inferencer: MultiLabelInferencer, name: str) -> None:
    with pytest.raises(ValueError, match='no file can have this name|cannot be read') as caught:
        inferencer(name, **QUIET)
    assert name in str(caught.value) or repr(name) in str(caught.value)


def test_a_pipe_or_device_is_no_image(tmp_path: Path) -> None:
    os.symlink('/dev/null', tmp_path / 'null.jpg')
    with pytest.raises(ValueError, match=r'null\.jpg: the file is empty'):
        dataset(tmp_path, 'null.jpg')[0]


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda folder: folder, r'the folder .* holds no image \(suffixes \.jpg'),
        (lambda folder: folder / '*.jpg', 'no file matches the pattern .*jpg'),
        (lambda folder: 3, 'an input must be a path, a folder, .* got int'),
        (
            lambda folder: np.zeros((4, 4), np.uint8),
            r'must be uint8 of shape \(H, W, 3\) .* \(4, 4\)',
        ),
        (lambda folder: np.zeros((4, 4, 3)), r'must be uint8 .* got float64'),
        (lambda folder: np.zeros((0, 4, 3), np.uint8), r'must be uint8 .* got uint8 of shape \(0'),
        (
            lambda folder: Image.open(io.BytesIO(WHOLE[: len(WHOLE) // 2])),
            'PIL image cannot be decoded',
        ),
    ],
)
def test_inputs_of_the_inferencer(
    tmp_path: Path, inferencer: MultiLabelInferencer, make: Any, message: str
) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        inferencer(make(tmp_path), **QUIET)


# Images that are larger than they look


def png(width: int, height: int) -> bytes:
    header = b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return (
        b'\x89PNG\r\n\x1a\n'
        + struct.pack('>I', 13)
        + header
        + struct.pack('>I', zlib.crc32(header))
        + bytes(4)
        + b'IEND\xae\x42\x60\x82'
    )


def patched(image_format: str, marker: bytes, offset: int, size: bytes) -> bytes:
    """A small image whose header says another size."""
    stream = io.BytesIO()
    Image.new('RGB', (8, 8)).save(stream, image_format)
    content = bytearray(stream.getvalue())
    at = content.index(marker) + offset
    content[at : at + len(size)] = size
    return bytes(content)


BOMBS = dict(
    png=png(60_000, 60_000),
    jpg=patched('JPEG', b'\xff\xc0', 5, struct.pack('>HH', 60_000, 60_000)),
    gif=patched('GIF', b'GIF8', 6, struct.pack('<HH', 60_000, 60_000)),
    bmp=patched('BMP', b'BM', 18, struct.pack('<ii', 60_000, 60_000)),
)


@pytest.fixture
def no_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test when an image is decoded."""
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded by cv2'))
    monkeypatch.setattr(ImageFile.ImageFile, 'load', lambda *_: pytest.fail('decoded by Pillow'))


@pytest.mark.usefixtures('no_pixels')
@pytest.mark.parametrize('suffix', BOMBS)
def test_bombs_are_refused_by_every_reader(tmp_path: Path, checkpoint: Path, suffix: str) -> None:
    path = tmp_path / f'bomb.{suffix}'
    path.write_bytes(BOMBS[suffix])
    refused = rf'bomb\.{suffix}: refused, .*(too large|max_pixels)'
    with pytest.raises(ImageReadError, match=refused):
        LoadImage()(dict(img_path=str(path)))
    assert 'refused' in inspect_image(str(path)).fault
    inferencer = MultiLabelInferencer(pretrained=checkpoint, device='cpu')
    with pytest.raises(ValueError, match=refused):
        inferencer(str(path), **QUIET)
    predictions = make_mixed(num=40)
    predictions.names[:] = str(path)
    false, _ = find_mistakes(number_run('x', predictions))
    assert false and all(example.picture is None for example in false)


@pytest.mark.usefixtures('no_pixels')
def test_bombs_are_refused_by_the_lone_classifier(tmp_path: Path) -> None:
    classifier = pytest.importorskip('mmmsf.deploy.onnx_classifier')
    for content in BOMBS.values():
        with pytest.raises(ValueError, match='^bomb: no whole image, or too large'):
            classifier.decode(content, 'bomb')


@pytest.mark.usefixtures('no_pixels')
def test_bombs_are_refused_before_the_frameworks_loader(tmp_path: Path, checkpoint: Path) -> None:
    (tmp_path / 'bomb.png').write_bytes(BOMBS['png'])
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(64, 64)),
        dict(type='PackInputs'),
    ]
    inferencer = MultiLabelInferencer(small_config(pipeline), checkpoint, 'cpu')
    with pytest.raises(ValueError, match=r'bomb\.png: refused'):
        inferencer(str(tmp_path / 'bomb.png'), **QUIET)


def test_the_limit_is_an_argument(tmp_path: Path, checkpoint: Path) -> None:
    path = str(tmp_path / 'a.png')
    Image.new('RGB', (40, 30)).save(path)
    for pipeline in (
        None,
        [
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=(64, 64)),
            dict(type='PackInputs'),
        ],
    ):
        for limit, fits in ((1199, False), (1200, True)):
            inferencer = MultiLabelInferencer(
                small_config(pipeline), checkpoint, 'cpu', max_pixels=limit
            )
            for image in (path, Image.open(path)):  # Pillow has not decoded the second yet
                found = inferencer._predict(
                    [image],
                    pytest.importorskip('mmmsf.apis.results').ResultOptions(on_error='record'),
                )
                assert isinstance(found[0], Exception) != fits
                assert fits or 'refused, 40 x 30 is more than max_pixels=1199' in str(found[0])
    with pytest.raises(ValueError, match='`max_pixels` must be at least 1, got 0'):
        MultiLabelInferencer(load_model(checkpoint, device='cpu'), max_pixels=0)


def test_no_interpreter_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would hand PostScript to another program."""
    monkeypatch.setattr(EpsImagePlugin, 'Ghostscript', lambda *_, **__: pytest.fail('started'))
    stream = io.BytesIO()
    Image.new('RGB', (8, 8)).save(stream, 'EPS')
    with pytest.raises(ImageReadError, match=r'photo\.jpg: not an image'):
        decode_image(stream.getvalue(), 'photo.jpg')


def test_readers_that_disagree_on_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    Image.new('RGB', (8, 6)).save(stream, 'PNG')
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: np.zeros((6, 80, 3), np.uint8))
    with pytest.raises(ImageReadError, match='x: the data are corrupt: 8 x 6 .* decoded 80 x 6'):
        decode_image(stream.getvalue(), 'x')


# Random damage


def picture(image_format: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, image_format)
    return stream.getvalue()


LOAD_IMAGE = TRANSFORMS.build(dict(type='mmmsf.LoadImage', max_pixels=10**6))
FORMATS = ('PNG', 'JPEG', 'GIF', 'BMP', 'TIFF', 'WEBP', 'PPM')


def check_image(folder: Path, content: bytes, load: Any = attempt) -> None:
    path = folder / 'x.jpg'
    path.write_bytes(content)
    found = load(path, lambda: LOAD_IMAGE(dict(img_path=str(path))))
    if found is None:
        return
    image = found['img']
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    with Image.open(io.BytesIO(content)) as pil:
        assert sorted(pil.size) == sorted(image.shape[:2])
        if content.startswith(b'\x89PNG'):  # its checksums tell damage from pixels
            with Image.open(io.BytesIO(picture('PNG'))) as whole:
                np.testing.assert_array_equal(image[..., ::-1], np.asarray(whole))


@pytest.mark.parametrize('long', LENGTHS)
@pytest.mark.parametrize('image_format', FORMATS)
def test_fuzz(fuzz_folder: Path, image_format: str, long: bool) -> None:
    fuzz(check_image, fuzz_folder, damaged_bytes(picture(image_format)), long)


@pytest.mark.parametrize('image_format', FORMATS)
def test_fuzzed_image_is_valid_before(fuzz_folder: Path, image_format: str) -> None:
    check_image(fuzz_folder, picture(image_format), load=lambda _, build: build())
