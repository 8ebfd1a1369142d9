"""Files from anywhere do no harm: XML, paths, images that swell, uploads.

Checkpoints are in test_hostile_checkpoints.py; the escaping of labels is tested beside the report
page (test_visualization/test_report_page.py) and the demo (test_demo.py).
"""

import io
import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from _check import inspect_image
from mmengine.dataset import BaseDataset
from PIL import EpsImagePlugin, Image, ImageFile

from mmmsf.apis import MultiLabelInferencer, load_model
from mmmsf.datasets import ImageReadError, LoadImage, decode_image
from mmmsf.registry import DATASETS
from mmmsf.report.examples import find_mistakes
from mmmsf.report.numbers import number_run
from tests.helpers.run_tool import run_tool
from tests.helpers.small_checkpoint import small_config, write_checkpoint
from tests.helpers.small_data import make_coco, make_voc
from tests.report.test_page import make

QUIET = dict(show_progress=False)


def build(kind: str, root: Path, **options: Any) -> BaseDataset:
    options = {
        **dict(
            coco=dict(ann_file='annotations/instances_val2014.json', data_prefix='val2014'),
            voc=dict(split='val'),
            csv=dict(ann_file='t.csv', data_prefix='img'),
        )[kind],
        **options,
    }
    name = dict(coco='CocoMultiLabel', voc='VocMultiLabel', csv='CsvMultiLabel')[kind]
    return DATASETS.build(
        dict(
            type=f'mmmsf.{name}',
            data_root=str(root),
            pipeline=[dict(type='mmmsf.LoadImage')],
            **options,
        )
    )


# XML


def laughs() -> str:
    entities = '<!ENTITY a0 "ha">' + ''.join(
        f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10)
    )
    return (
        f'<!DOCTYPE annotation [{entities}]><annotation><object><name>&a9;</name></object>'
        '</annotation>'
    )


@pytest.mark.parametrize(
    'text',
    [
        laughs(),
        f'<!DOCTYPE a [<!ENTITY x "{"ha" * 50_000}">]><annotation>{"&x;" * 50_000}</annotation>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation><object><name>&x;</name>'
        '</object></annotation>',
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]><annotation/>',
        '<!DOCTYPE annotation SYSTEM "http://127.0.0.1:9/x.dtd"><annotation/>',
    ],
)
def test_entities_in_a_voc_annotation(tmp_path: Path, text: str) -> None:
    make_voc(tmp_path, 'val')
    (tmp_path / 'Annotations/val_000001.xml').write_text(text)
    with pytest.raises(ValueError, match=r'val_000001\.xml: refused, .* document type .* remove'):
        build('voc', tmp_path)


def test_xml_nested_without_end(tmp_path: Path) -> None:
    make_voc(tmp_path, 'val')
    path = tmp_path / 'Annotations/val_000001.xml'
    path.write_text('<annotation>' + '<part>' * 50_000)
    with pytest.raises(ValueError, match=r'val_000001\.xml: not well-formed XML'):
        build('voc', tmp_path)
    path.write_text('<annotation>' + '<part>' * 50_000 + '</part>' * 50_000 + '</annotation>')
    assert build('voc', tmp_path).get_data_info(1)['gt_label'] == []


def test_json_nested_without_end(tmp_path: Path) -> None:
    make_coco(tmp_path, 'val', tuple('abcde'))
    (tmp_path / 'annotations/instances_val2014.json').write_text('{"images": ' + '[' * 500_000)
    with pytest.raises(ValueError, match=r'instances_val2014\.json: not JSON \(.*recursion.*fetch'):
        build('coco', tmp_path)


# Paths

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
def test_file_names_of_coco_stay_inside(tmp_path: Path, name: str) -> None:
    make_coco(tmp_path, 'val', tuple('abcde'))
    path = tmp_path / 'annotations/instances_val2014.json'
    content = json.loads(path.read_text())
    content['images'][2]['file_name'] = name
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'instances_val2014\.json: image 2: .*file_name'):
        build('coco', tmp_path)


@pytest.mark.parametrize('name', OUTSIDE)
def test_paths_of_a_table_stay_inside(tmp_path: Path, name: str) -> None:
    (tmp_path / 't.csv').write_text(f'path,labels\na.jpg,dog\n{name},cat\n')
    with pytest.raises(ValueError, match=r't\.csv: line 3.*(file_name|not a sound row)'):
        build('csv', tmp_path)


@pytest.mark.parametrize('name', ['../secret', '/etc/hostname', '..', 'a/b', 'a\\b', 'file://x'])
def test_ids_of_voc_are_bare(tmp_path: Path, name: str) -> None:
    make_voc(tmp_path, 'val')
    (tmp_path / 'ImageSets/Main/val.txt').write_text(f'val_000000\n{name}\n')
    with pytest.raises(ValueError, match=r'val\.txt: line 2 must be the bare id'):
        build('voc', tmp_path)


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
        assert build(kind, root)[0]['img'].shape == (48, 80, 3)


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
    """Nothing may be decoded."""
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded by cv2'))
    monkeypatch.setattr(ImageFile.ImageFile, 'load', lambda *_: pytest.fail('decoded by Pillow'))


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp('bombs') / 'x.pth')


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
    predictions = make(num=40)
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


def test_two_opinions_of_one_size(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    Image.new('RGB', (8, 6)).save(stream, 'PNG')
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: np.zeros((6, 80, 3), np.uint8))
    with pytest.raises(ImageReadError, match='x: the data are corrupt: 8 x 6 .* decoded 80 x 6'):
        decode_image(stream.getvalue(), 'x')


# The demo


@pytest.mark.parametrize(
    ('arguments', 'host'), [((), '127.0.0.1'), (('--host', '0.0.0.0'), '0.0.0.0')]
)
def test_the_demo_serves_this_machine_and_limits_uploads(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], host: str
) -> None:
    gradio = pytest.importorskip('gradio')
    seen: dict[str, Any] = {}
    monkeypatch.setattr(gradio.Blocks, 'launch', lambda _, **options: seen.update(options))
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    done = run_tool(checkpoint.parent, 'demo/demo.py', 'x.pth', '--device', 'cpu', *arguments)
    assert done.returncode == 0, done.stderr
    assert seen['server_name'] == host
    assert seen['max_file_size'] == '20mb'
    assert seen['share'] is False
