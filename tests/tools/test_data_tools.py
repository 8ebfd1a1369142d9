"""check_data.py, browse_dataset.py and voc12.py from command line to output."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from _archive import check_submission
from mmengine.config import Config
from PIL import Image

from mmmsf.checkpoint.loading import build_model
from mmmsf.datasets import VOC_CLASSES
from mmmsf.evaluation import Predictions
from tests.helpers.run_tool import run_tool

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/_base_/datasets/voc12_448px.py'
IDS = {'train': ['2012_000001', '2012_000002'], 'val': ['2012_000003', '2012_000004']}


def run(folder: Path, tool: str, *arguments: str, code: int = 0) -> str:
    """Run a tool in this process, check its exit status and return its output."""
    done = run_tool(folder, tool, *arguments)
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """Write four blue images in VOC's layout, each with a dog and a difficult person."""
    root = tmp_path / 'VOC2012'
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True)
    objects = ''.join(
        f'<object><name>{name}</name><difficult>{difficult}</difficult></object>'
        for name, difficult in (('dog', 0), ('person', 1))
    )
    for split, ids in IDS.items():
        (root / f'ImageSets/Main/{split}.txt').write_text('\n'.join(ids))
        for image_id in ids:
            image = np.zeros((60, 80, 3), np.uint8)
            image[..., 0] = 150 + 20 * int(image_id[-1])  # blue
            cv2.imwrite(str(root / f'JPEGImages/{image_id}.jpg'), image)
            (root / f'Annotations/{image_id}.xml').write_text(f'<annotation>{objects}</annotation>')
    return root


def options(voc: Path) -> list[str]:
    return [
        '--cfg-options',
        *(f'{split}_dataloader.dataset.data_root={voc}' for split in ('train', 'val', 'test')),
    ]


@pytest.mark.slow
def test_check_data(voc: Path) -> None:
    (voc / 'JPEGImages/2012_000004.jpg').write_bytes(
        (voc / 'JPEGImages/2012_000001.jpg').read_bytes()
    )
    out = run(voc, 'data/check_data.py', str(CONFIG), '--workers', '2', *options(voc))
    for part in (
        'train: 2 images, 0 without a label',
        'the classes of VOC, but 2 images',
        'min 1, mean 1.00, max 1',
        'min 80 x 60',
        '1 images are in train and in val:',
        '2012_000001.jpg = ',
        'val and test are the same images',
        '4/4',
    ):
        assert part in out, out
    row = ['person', '0', '2']
    assert [line.split() for line in out.splitlines()].count(row) == 3

    (voc / 'JPEGImages/2012_000002.jpg').write_bytes(b'no image')
    out = run(voc, 'data/check_data.py', str(CONFIG), '--workers', '0', *options(voc), code=1)
    assert '1 images are missing or broken' in out and '2012_000002.jpg: not an image' in out


def test_browse_dataset(voc: Path, tmp_path: Path) -> None:
    out_dir = tmp_path / 'sheets/new'
    arguments = ('--out-dir', str(out_dir), '--size', '100', '--number', '9', '--split', 'val')
    out = run(tmp_path, 'data/browse_dataset.py', str(CONFIG), *arguments, *options(voc))
    assert [path.name for path in out_dir.iterdir()] == ['val_001.png']
    assert 'val_001.png: 2 images' in out
    # below the legend
    pixels = np.asarray(Image.open(out_dir / 'val_001.png'))[30:].reshape(-1, 3).astype(int)
    blue = (pixels[:, 2] > 180) & (pixels[:, :2].max(axis=1) < 30)
    assert blue.sum() > 2 * 100 * 90  # the images, with red and blue in their places
    green, orange = (
        (np.abs(pixels - color).max(axis=1) < 40).sum() for color in ((34, 139, 34), (217, 119, 6))
    )
    assert green > 10 and orange > 10  # dog; person, which is ignored

    run(
        tmp_path,
        'data/browse_dataset.py',
        str(CONFIG),
        '--out-dir',
        str(out_dir),
        '--size',
        '100',
        *options(voc),
    )
    assert (out_dir / 'train_001.png').stat().st_size > 1000


def test_voc12_submission(tmp_path: Path) -> None:
    ids = [f'2012_{i:06d}' for i in range(7)]
    (tmp_path / 'test.txt').write_text('\n'.join(ids))
    scores = np.random.default_rng(0).random((7, 20)).astype(np.float32)
    empty = np.zeros((7, 20), np.int8)
    Predictions(
        np.array([f'x/{image_id}.jpg' for image_id in ids[::-1]]),
        np.array(VOC_CLASSES),
        scores[::-1],
        empty,
        empty,
    ).save(tmp_path / 'good.npz')
    out = tmp_path / 'results.tar.gz'
    arguments = ('--ids', str(tmp_path / 'test.txt'), '--out', str(out), '--comp', 'comp2')
    printed = run(tmp_path, 'submission/voc12.py', str(tmp_path / 'good.npz'), *arguments)
    assert '7 images, 20 classes, comp2; checked' in printed
    np.testing.assert_array_equal(check_submission(out, ids, 'comp2').astype(np.float32), scores)
    with tarfile.open(out) as archive:
        assert len(archive.getnames()) == 20

    out.unlink()
    (tmp_path / 'test.txt').write_text('\n'.join([*ids, '2012_000099']))
    printed = run(tmp_path, 'submission/voc12.py', str(tmp_path / 'good.npz'), *arguments, code=1)
    assert 'nothing written' in printed and '1 are missing: 2012_000099' in printed
    assert not out.exists()


@pytest.mark.slow
def test_from_the_unlabelled_test_images_to_the_server_s_file(tmp_path: Path) -> None:
    """Run tools/test.py on images without annotations, then make the archive."""
    root = tmp_path / 'VOC2012'
    for folder in ('JPEGImages', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True)
    ids = [f'2012_{i:06d}' for i in range(5)]
    list_file = root / 'ImageSets/Main/test.txt'
    list_file.write_text('\n'.join(ids))
    for i, image_id in enumerate(ids):
        cv2.imwrite(
            str(root / f'JPEGImages/{image_id}.jpg'), np.full((60, 80, 3), 40 * i, np.uint8)
        )
    small = {
        'model.backbone.depth': 18,
        'model.neck.in_channels': [256, 512],
        'model.neck.embed_dims': 16,
        'model.head.embed_dims': 16,
        'model.head.feedforward_channels': 16,
        'test_dataloader.dataset.data_root': str(root),
        'test_dataloader.dataset.split': 'test',
        'test_dataloader.dataset.labelled': False,
        'test_dataloader.num_workers': 0,
        'test_dataloader.batch_size': 2,
        'test_dataloader.dataset.pipeline.1.scale': (64, 64),
    }
    config = ROOT / 'configs/msf/msf_resnet101_6xb21-80e_voc12-448px.py'
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(small)
    torch.manual_seed(0)
    weights = tmp_path / 'weights.pth'
    torch.save(dict(state_dict=build_model(cfg).state_dict()), weights)

    predictions, archive = tmp_path / 'test.npz', tmp_path / 'results.tar.gz'
    arguments = ['--out', str(predictions), '--work-dir', str(tmp_path / 'work'), '--cfg-options']
    arguments += [f'{key}={value}'.replace(' ', '') for key, value in small.items()]
    # a test run sets MMEngine's global state, hence a process of its own
    subprocess.run(
        [sys.executable, str(ROOT / 'tools/test.py'), str(config), str(weights), *arguments],
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        check=True,
        capture_output=True,
        timeout=300,
    )
    run(
        tmp_path,
        'submission/voc12.py',
        str(predictions),
        '--ids',
        str(list_file),
        '--out',
        str(archive),
    )
    scores = Predictions.load(predictions).scores
    assert scores.shape == (5, 20) and 0 < scores.min() < scores.max() < 1
    np.testing.assert_allclose(check_submission(archive, ids, 'comp1'), scores, atol=1e-6)
