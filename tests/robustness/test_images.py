"""Image files of all kinds, through a dataset with ``mmmsf.LoadImage`` and the inferencer."""

import io
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from mmmsf.apis import MultiLabelInferencer
from mmmsf.registry import DATASETS
from tests.helpers.small_checkpoint import write_checkpoint

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
SOUND = {
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
    return DATASETS.build(
        dict(
            type='mmmsf.CsvMultiLabel',
            ann_file='t.csv',
            data_root=str(folder),
            pipeline=[dict(type='mmmsf.LoadImage')],
        )
    )


@pytest.fixture(scope='module')
def inferencer(tmp_path_factory: pytest.TempPathFactory) -> MultiLabelInferencer:
    path = write_checkpoint(tmp_path_factory.mktemp('model') / 'x.pth')
    return MultiLabelInferencer(pretrained=path, device='cpu')


@pytest.mark.parametrize('name', SOUND)
def test_all_become_three_channels(
    tmp_path: Path, inferencer: MultiLabelInferencer, name: str
) -> None:
    content, expected, tolerance = SOUND[name]
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
    good = [name for name in SOUND if not name.startswith('exif')]
    for name in good:
        write(tmp_path, name, SOUND[name][0])
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
