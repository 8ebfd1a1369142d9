"""tools/benchmark/pipeline.py on tiny photographs; its Pillow pipeline against ours."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from mmengine.registry import init_default_scope
from PIL import Image

from mmmsf.registry import TRANSFORMS
from tests.helpers.run_tool import run_tool

TOOL = 'benchmark/pipeline.py'
STEPS = ['LoadImage', 'Resize', 'RandomFlip', 'Cutout', 'RandAugment', 'PackInputs', 'normalise']
SUMS = ['file to augmented image', 'file to normalised batch']


def picture(side: int = 96) -> np.ndarray:
    """A smooth image (side, side, 3), BGR, so that half a pixel makes little difference."""
    y, x = np.mgrid[:side, :side] * (96 / side)
    wave = 128 + 60 * np.sin(x / 9) * np.cos(y / 7)
    return np.stack([x * 2 + 20, y * 2 + 30, wave], axis=-1).astype(np.uint8)


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module with the Pillow pipeline."""
    folder = Path(__file__).resolve().parents[3] / 'tools/benchmark'
    monkeypatch.setattr(sys, 'path', [str(folder), *sys.path])
    import _torchvision_pipeline

    init_default_scope('mmpretrain')
    yield _torchvision_pipeline


def test_it_prints_where_the_time_goes(tmp_path: Path) -> None:
    (tmp_path / 'photos').mkdir()
    for i in range(3):
        cv2.imwrite(str(tmp_path / f'photos/{i}.jpg'), picture(64 + i))
    threads = cv2.getNumThreads()
    done = run_tool(tmp_path, TOOL, 'photos', '--batch-size', '2', '--rounds', '1')
    cv2.setNumThreads(threads)
    assert done.returncode == 0, done.stderr
    assert 'command: python' in done.stdout and '3 images in batches of 2' in done.stdout
    rows = re.findall(r'^\| (.+?) \| [\d.]+ \[.+?\] \| [\d.]+ \[.+?\] \|', done.stdout, re.M)
    assert rows == STEPS + SUMS + SUMS


def test_folder_without_photographs_is_refused(tmp_path: Path) -> None:
    done = run_tool(tmp_path, TOOL, '.')
    assert done.returncode == 1 and 'no file that ends with .jpg' in done.stderr


def test_operations_are_ours(peer: ModuleType) -> None:
    image = picture()
    augment = TRANSFORMS.build(
        dict(
            type='mmmsf.RandAugment',
            policies='timm_increasing',
            num_policies=2,
            magnitude_level=9,
            magnitude_std=0.5,
            hparams=dict(pad_val=[128, 128, 128]),
        )
    )
    for op in augment.transforms:
        op.prob = 1
        for seed in range(4):
            np.random.seed(seed)
            ours = op({'img': image})['img'].astype(int)
            np.random.seed(seed)
            theirs = np.asarray(peer.operate(op, Image.fromarray(image[..., ::-1].copy())))
            assert np.abs(ours - theirs[..., ::-1]).mean() < 1, (op, seed)


def test_pipelines_make_the_same_image(peer: ModuleType, tmp_path: Path) -> None:
    path = str(tmp_path / 'photo.png')
    cv2.imwrite(path, picture())
    mean, std = [120.0, 110.0, 100.0], [60.0, 50.0, 40.0]
    transforms = [
        TRANSFORMS.build(step)
        for step in (
            dict(type='mmmsf.LoadImage'),
            dict(type='Resize', scale=(96, 96)),
            dict(type='mmmsf.RandomFlip', prob=0.5),
            dict(type='mmmsf.Cutout', shape=48, pad_val=(104, 116, 124), prob=0.5),
            dict(
                type='mmmsf.RandAugment',
                policies=[dict(type='Invert'), dict(type='Equalize')],
                num_policies=2,
                magnitude_level=9,
            ),
            dict(type='mmmsf.PackInputs'),
        )
    ]
    steps = peer.mirror(transforms, mean, std)
    for seed in range(12):
        np.random.seed(seed)
        ours = {'img_path': path}
        for transform in transforms:
            ours = transform(ours)
        np.random.seed(seed)
        theirs = {'img_path': path}
        for _, step in steps:
            theirs = step(theirs)
        expected = ours['inputs'].flip(0).numpy().astype(np.float32)
        expected = (expected - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
        np.testing.assert_allclose(theirs.numpy(), expected, atol=1e-4)


def test_transform_without_counterpart_is_named(peer: ModuleType) -> None:
    steps = [
        TRANSFORMS.build(step)
        for step in (dict(type='CenterCrop', crop_size=4), dict(type='PackInputs'))
    ]
    with pytest.raises(ValueError, match='no Pillow version of the transform CenterCrop'):
        peer.mirror(steps, [0, 0, 0], [1, 1, 1])
