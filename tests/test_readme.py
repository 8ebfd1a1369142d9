"""The README's way from a training to pictures, a report and files to deploy, as it is written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmmsf.apis import MultiLabelInferencer, OnnxClassifier
from mmmsf.checkpoint.thresholds import read_thresholds
from mmmsf.evaluation import Predictions

pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')

ROOT = Path(__file__).resolve().parents[1]
CONFIG = 'configs/msf/msf-ours_resnet18_1xb16-10e_digits-64px.py'
SMALL = f"""
_base_ = '{CONFIG}'
images = dict(num_images=dict(train=16, val=20))
train_dataloader = dict(num_workers=0, dataset=images)
val_dataloader = dict(num_workers=0, dataset=images)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=10, val_interval=10)
custom_hooks = _base_.custom_hooks + [dict(type='mmmsf.AttentionHook', interval=10)]
"""


def commands(mark: str) -> str:
    """The code block of the README that follows ``<!-- command: mark -->``."""
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    return text.split(f'<!-- command: {mark} -->\n```bash\n')[1].split('```')[0]


def test_the_head_in_the_readme_is_the_tested_one() -> None:
    source = (ROOT / 'tests/helpers/own_head.py').read_text(encoding='utf-8')
    _, code = source.split('"""\n', 1)
    assert code.strip() in (ROOT / 'README.md').read_text(encoding='utf-8')


def shell(folder: Path, script: str) -> str:
    environment = dict(
        os.environ,
        OMP_NUM_THREADS='1',
        PATH=f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}',
    )
    done = subprocess.run(
        ['bash', '-euo', 'pipefail', '-c', script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone after both blocks of commands, the first on few images."""
    folder = tmp_path_factory.mktemp('clone')
    for name in ('tools', 'configs'):
        (folder / name).symlink_to(ROOT / name)
    (folder / 'small.py').write_text(SMALL)
    run = f'work_dirs/{Path(CONFIG).stem}'
    assert commands('train').rstrip().endswith(f'tools/train.py {CONFIG}')
    shell(folder, f'python tools/train.py small.py --work-dir {run}')
    after = commands('after training')
    assert after.startswith(f'CONFIG={CONFIG}\nRUN={run}\n')
    shell(folder, after.replace(f'CONFIG={CONFIG}', 'CONFIG=small.py'))
    return folder / run


@pytest.mark.slow
def test_scores_and_pictures_are_there(folder: Path) -> None:
    predictions = Predictions.load(folder / 'val.npz')
    assert predictions.scores.shape == (20, 10)
    lines = [
        json.loads(line) for line in (folder / 'shown/predictions.jsonl').read_text().splitlines()
    ]
    pictures = sorted((folder / 'shown/pictures').iterdir())
    assert len(lines) == len(pictures) == 9
    attended = next(i for i, line in enumerate(lines) if line['labels'])
    assert all(len(box) == 4 for box in lines[attended]['boxes'])
    with Image.open(pictures[attended]) as picture:
        assert picture.width > 200  # the image and panels for three scales


@pytest.mark.slow
def test_the_thresholds_of_the_training_are_replaced(folder: Path) -> None:
    """On the same images, but at their test scores, with another batch and folded norms."""
    trained, tuned = (read_thresholds(folder / name) for name in ('epoch_10.pth', 'tuned.pth'))
    assert tuned == pytest.approx(trained, abs=1e-4)


@pytest.mark.slow
def test_the_training_drew_attention(folder: Path) -> None:
    pictures = list(folder.glob('*/vis_data/vis_image/attention_0*.png'))
    assert pictures
    with Image.open(pictures[0]) as picture:
        assert picture.width > 200


@pytest.mark.slow
def test_the_report_shows_the_run_and_its_attention(folder: Path) -> None:
    page = (folder / 'report.html').read_text(encoding='utf-8')
    assert 'mAP' in page and page.count('data:image/') > 2
    assert 'http://' not in page.replace('http://www.w3.org', '')


@pytest.mark.slow
def test_the_int8_file_predicts(folder: Path) -> None:
    image = next((folder.parents[1] / 'data/scaled_digits').glob('*/val/*.png'))
    found, exact = (
        OnnxClassifier(folder / name)(image)['all_scores'] for name in ('int8.onnx', 'model.onnx')
    )
    np.testing.assert_allclose(found, exact, atol=0.1)
    assert (folder / 'int8.onnx').stat().st_size < (folder / 'model.onnx').stat().st_size / 2


@pytest.mark.slow
def test_every_file_gives_the_same_scores(folder: Path) -> None:
    predictions = Predictions.load(folder / 'val.npz')
    images = sorted((folder.parents[1] / 'data/scaled_digits').glob('*/val/*.png'))[:10]
    classifier = OnnxClassifier(folder / 'model.onnx', threads=1)
    for checkpoint in ('tuned.pth', 'model.safetensors'):
        inferencer = MultiLabelInferencer(pretrained=str(folder / checkpoint), device='cpu')
        found = inferencer([str(path) for path in images], return_scores=True, show_progress=False)
        for index, (path, result) in enumerate(zip(images, found, strict=True)):
            exported = classifier(path)
            np.testing.assert_allclose(result['all_scores'], predictions.scores[index], atol=1e-4)
            np.testing.assert_allclose(exported['all_scores'], predictions.scores[index], atol=1e-4)
            for label in {*exported['labels']} ^ {*result['labels']}:  # no score lies between
                k = classifier.classes.index(label)
                assert abs(exported['all_scores'][k] - classifier.thresholds[k]) < 1e-5
