"""Decoding: every kind of sound image gives BGR, every kind of broken one an error."""

import io
import pickle
import zlib

import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose
from PIL import Image, ImageFile

from mmmsf.datasets import ImageReadError, LoadImage, decode_image
from mmmsf.registry import TRANSFORMS

RAMP = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))  # (48, 64)
RGB = np.stack([RAMP, 255 - RAMP, RAMP // 2], axis=-1)
BGR = RGB[..., ::-1].astype(int)
GREY = np.stack([RAMP] * 3, axis=-1).astype(int)


def encode(image, image_format, **options):
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def png16(array):
    return cv2.imencode('.png', array)[1].tobytes()


PICTURE = Image.fromarray(RGB)
ALPHA = Image.fromarray(np.dstack([RGB, RAMP]))

CASES = {
    'rgb png': (encode(PICTURE, 'PNG'), BGR, 0),
    'rgb jpeg': (encode(PICTURE, 'JPEG', quality=95), BGR, 6),
    'grey png': (encode(Image.fromarray(RAMP), 'PNG'), GREY, 0),
    'grey jpeg': (encode(Image.fromarray(RAMP), 'JPEG', quality=95), GREY, 6),
    'one bit': (encode(Image.fromarray(RAMP > 127), 'PNG'), (GREY > 127) * 255, 0),
    'palette': (encode(PICTURE.quantize(256), 'PNG'), BGR, 8),
    'palette gif': (encode(PICTURE.quantize(256), 'GIF'), BGR, 8),
    'cmyk jpeg': (encode(PICTURE.convert('CMYK'), 'JPEG', quality=95), BGR, 10),
    '16 bit grey': (png16(RAMP.astype(np.uint16) * 257), GREY, 1),
    '16 bit colour': (png16(RGB[..., ::-1].astype(np.uint16) * 257), BGR, 1),
    '16 bit dim': (png16((RAMP // 4).astype(np.uint16) * 257), GREY // 4, 1),
    'alpha': (encode(ALPHA, 'PNG'), BGR, 0),
    'grey and alpha': (encode(Image.fromarray(np.dstack([RAMP, RAMP])), 'PNG'), GREY, 0),
    'bmp': (encode(PICTURE, 'BMP'), BGR, 0),
    'tiff': (encode(PICTURE, 'TIFF'), BGR, 0),
    'webp': (encode(PICTURE, 'WEBP', lossless=True), BGR, 0),
}
# numpy operations that upright an image stored with an EXIF orientation
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize('case', CASES)
def test_decodes_to_bgr(case):
    content, expected, tolerance = CASES[case]
    image = decode_image(content, case)
    assert image.shape == (48, 64, 3) and image.dtype == np.uint8
    assert np.abs(image - expected).max() <= tolerance


@pytest.mark.parametrize('orientation', UPRIGHT)
def test_exif_orientation_is_applied(orientation):
    stripes = np.array(PICTURE)
    stripes[:16, :16] = 255  # a corner mark tells mirror images apart
    content = encode(Image.fromarray(stripes), 'JPEG', quality=95, exif=exif(orientation))
    image = decode_image(content, 'turned').astype(int)
    expected = UPRIGHT[orientation](stripes[..., ::-1].astype(int))
    assert image.shape == expected.shape
    assert np.abs(image - expected).mean() < 4


@pytest.mark.parametrize('orientation', UPRIGHT)
def test_exif_orientation_is_ignored_on_request(tmp_path, orientation):
    """As PIL.Image.open does."""
    content = encode(PICTURE, 'JPEG', quality=95, exif=exif(orientation))
    image = decode_image(content, 'turned', ignore_orientation=True)
    expected = np.array(Image.open(io.BytesIO(content)).convert('RGB'))[..., ::-1]
    assert image.shape == expected.shape == (48, 64, 3)
    assert np.abs(image.astype(int) - expected).max() <= 1
    (tmp_path / 'a.jpg').write_bytes(content)
    loaded = LoadImage(ignore_orientation=True)(dict(img_path=str(tmp_path / 'a.jpg')))
    np.testing.assert_array_equal(loaded['img'], image)
    assert loaded['ori_shape'] == (48, 64)


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))


@pytest.mark.parametrize('image_format', ['JPEG', 'PNG', 'BMP', 'TIFF', 'GIF', 'WEBP'])
@pytest.mark.parametrize('share', [0.5, 0.9])
def test_truncated(image_format, share):
    content = encode(NOISE, image_format)
    with pytest.raises(ImageReadError, match=r'cut\.img: '):
        decode_image(content[: int(len(content) * share)], 'cut.img')


@pytest.mark.parametrize('image_format', ['JPEG', 'PNG'])
def test_truncated_message(image_format):
    content = encode(NOISE, image_format)
    with pytest.raises(ImageReadError, match=rf'cut\.img: the {image_format} data are truncated'):
        decode_image(content[:-70], 'cut.img')


@pytest.mark.parametrize('image_format', ['JPEG', 'PNG', 'BMP', 'TIFF', 'GIF', 'WEBP'])
def test_truncated_is_refused_when_cv2_says_nothing(monkeypatch, image_format):
    """Some cv2 versions return the part that is there; the check in front must not rely on it."""
    content = encode(NOISE, image_format)
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: np.zeros((64, 64, 3), np.uint8))
    decode_image(content, 'whole.img')
    with pytest.raises(ImageReadError, match=r'cut\.img: .*(data are truncated|cut short)'):
        decode_image(content[: len(content) * 2 // 3], 'cut.img')


@pytest.mark.parametrize('image_format', ['JPEG', 'PNG'])
def test_whole_files_are_decoded_once(monkeypatch, image_format):
    content = encode(NOISE, image_format)
    monkeypatch.setattr(ImageFile.ImageFile, 'load', lambda *_: pytest.fail('decoded twice'))
    assert decode_image(content, 'whole.img').shape == (64, 64, 3)


def test_padding_after_the_end_is_fine():
    for image_format in ('JPEG', 'PNG'):
        content = encode(NOISE, image_format)
        for padding in (b'\0' * 20, b'\0' * 2000):
            np.testing.assert_array_equal(
                decode_image(content + padding, 'padded'), decode_image(content, 'plain')
            )


@pytest.mark.parametrize(
    'content, message',
    [
        (b'', r'x\.jpg: the file is empty \(0 bytes\)'),
        (b'<html>404</html>', r"x\.jpg: not an .* \(it has 16 bytes and begins with b'<html>404"),
        (b'\xff\xd8', r'x\.jpg: not an image'),
        (b'\x89PNG\r\n\x1a\n', r'x\.jpg: not an image'),
    ],
)
def test_not_an_image(content, message):
    with pytest.raises(ImageReadError, match=message):
        decode_image(content, 'x.jpg')


def test_kind_that_cv2_cannot_decode():
    content = encode(Image.fromarray(RAMP.astype(np.float32)), 'TIFF')
    with pytest.raises(ImageReadError, match=r'x\.tif: .*(cannot decode|cv2 failed)'):
        decode_image(content, 'x.tif')


def test_max_pixels_is_checked_before_decoding(monkeypatch):
    content = encode(NOISE, 'PNG')
    assert decode_image(content, 'x.png', max_pixels=64 * 64).shape == (64, 64, 3)
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded'))
    monkeypatch.setattr(ImageFile.ImageFile, 'load', lambda *_: pytest.fail('loaded'))
    with pytest.raises(ImageReadError, match=r'x\.png: refused, 64 x 64 is more than max_pixels=4'):
        decode_image(content, 'x.png', max_pixels=64 * 64 - 1)


def bomb(width, height):
    """A PNG header that announces width x height, with hardly any data."""
    header = encode(Image.new('1', (8, 8)), 'PNG')
    size = width.to_bytes(4, 'big') + height.to_bytes(4, 'big')
    chunk = b'IHDR' + size + header[24:29]
    return header[:12] + chunk + zlib.crc32(chunk).to_bytes(4, 'big') + header[33:]


# Pillow by itself is silent about the first, warns of the second and refuses the third
@pytest.mark.parametrize('side', [8_000, 10_000, 40_000])
def test_decompression_bomb(side, recwarn):
    with pytest.raises(ImageReadError, match='bomb: refused'):
        decode_image(bomb(side, side), 'bomb', max_pixels=50_000_000)
    assert not recwarn.list


def test_transform(tmp_path):
    path = tmp_path / 'a.jpg'
    path.write_bytes(encode(PICTURE, 'JPEG', exif=exif(6)))
    results = dict(img_path=str(path), gt_label=[1])
    loaded = LoadImage()(results)
    assert loaded['img'].shape == (64, 48, 3)
    assert loaded['img_shape'] == loaded['ori_shape'] == (64, 48)
    assert loaded['gt_label'] == [1] and 'img' not in results
    floats = LoadImage(to_float32=True)(results)['img']
    assert floats.dtype == np.float32
    np.testing.assert_array_equal(floats, loaded['img'])


def test_transform_is_found_by_name(tmp_path):
    (tmp_path / 'a.png').write_bytes(encode(PICTURE, 'PNG'))
    step = TRANSFORMS.build(dict(type='mmmsf.LoadImage', max_pixels=5))
    assert type(step) is LoadImage
    with pytest.raises(ImageReadError, match='max_pixels=5'):
        Compose([step])(dict(img_path=str(tmp_path / 'a.png')))


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ImageReadError, match=r'none\.jpg: no such file; check data_root'):
        LoadImage()(dict(img_path=str(tmp_path / 'none.jpg')))
    with pytest.raises(ImageReadError, match='cannot be read'):
        LoadImage()(dict(img_path=str(tmp_path)))


def test_empty_file_names_the_path(tmp_path):
    (tmp_path / 'empty.jpg').touch()
    with pytest.raises(ImageReadError, match=r'empty\.jpg: the file is empty'):
        LoadImage()(dict(img_path=str(tmp_path / 'empty.jpg')))


def test_arguments_and_pickling():
    with pytest.raises(ValueError, match='max_pixels must be positive, got 0'):
        LoadImage(max_pixels=0)
    assert repr(pickle.loads(pickle.dumps(LoadImage()))).startswith('LoadImage(max_pixels=')
    assert str(pickle.loads(pickle.dumps(ImageReadError('x: bad')))) == 'x: bad'
