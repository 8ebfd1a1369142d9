"""Checkpoints of this release, stored so that later releases can be tested against them.

``python tests/golden/make_golden.py`` trains a tiny model on coloured squares with the tools of
this checkout and leaves in ``tests/golden/<version>/``, each file below 120 KB:

- ``training.pth``: a checkpoint with optimizer, schedule, message hub, average and thresholds;
- ``published.pth`` and ``published.safetensors``: the output of ``publish_model.py`` for it;
- ``image.png`` and ``scores.json``: its scores, and the versions that wrote the files.

Run it once for each release, after the version is set; it never overwrites one.
``tests/test_golden_checkpoint.py`` finds the folders by itself.
"""

import csv
import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
FILES = ('training.pth', 'published.pth', 'published.safetensors')
MAX_BYTES = 120_000
SIZE = 16
COLORS = dict(red=(250, 20, 20), green=(20, 250, 20), blue=(20, 20, 250))

# SGD, since the two moments of Adam would take the file past its limit.
CONFIG = f"""
_base_ = {str(ROOT / 'configs/_base_/default_runtime.py')!r}
pipeline = [dict(type='mmmsf.LoadImage'), dict(type='PackInputs')]
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True),
    backbone=dict(
        type='VisionTransformer', img_size={SIZE}, patch_size=4, out_type='featmap',
        with_cls_token=False, arch=dict(
            embed_dims=8, num_layers=1, num_heads=2, feedforward_channels=8)),
    neck=dict(type='mmmsf.MSFNeck', in_channels=[8], embed_dims=4, product_gate=True),
    head=dict(
        type='mmmsf.MSFHead', num_classes={len(COLORS)}, embed_dims=4, num_heads=2,
        num_positions=8, feedforward_channels=8, num_encoder_layers=1, num_decoder_layers=1))
train_dataloader = dict(
    batch_size=8, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='mmmsf.CsvMultiLabel', data_root='data', ann_file='train.csv',
                 pipeline=pipeline))
val_dataloader = dict(
    batch_size=8, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='mmmsf.CsvMultiLabel', data_root='data', ann_file='val.csv',
                 pipeline=pipeline, test_mode=True))
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type='mmmsf.MultiLabelMetric')
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9))
param_scheduler = dict(type='mmmsf.OneCycleLR', eta_max=0.05, by_epoch=True, begin=0, end=4,
                       convert_to_iter_based=True)
train_cfg = dict(by_epoch=True, max_epochs=4, val_interval=2)
val_cfg = test_cfg = dict()
default_hooks = dict(checkpoint=dict(max_keep_ckpts=-1))  # the first is kept: half way
custom_hooks = [*_base_.custom_hooks, dict(type='EMAHook', momentum=0.05)]
"""


def draw(rng: np.random.Generator) -> tuple[Image.Image, list[str]]:
    """Draw a grey image with a square of each of some colours; return it and their names."""
    pixels = rng.integers(90, 160, (SIZE, SIZE, 3), dtype=np.uint8)
    names = [name for name in COLORS if rng.random() < 0.5]
    for name in names:
        top, left = rng.integers(0, SIZE - 6, 2)
        pixels[top : top + 6, left : left + 6] = COLORS[name]
    return Image.fromarray(pixels), names


def write_data(folder: Path) -> None:
    """Write ``train.csv`` with 48 images, ``val.csv`` with 24, and the images."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for split, count in (('train', 48), ('val', 24)):
        with open(folder / f'{split}.csv', 'w', newline='', encoding='utf-8') as file:
            table = csv.writer(file)
            table.writerow(('path', 'labels'))
            for i in range(count):
                image, names = draw(rng)
                image.save(folder / f'{split}_{i}.png')
                table.writerow((f'{split}_{i}.png', ';'.join(names)))


def run(folder: Path, tool: str, *arguments: str) -> None:
    """Run a tool of this checkout in ``folder``."""
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    subprocess.run(
        [sys.executable, str(ROOT / 'tools' / tool), *arguments],
        cwd=folder,
        env=environment,
        check=True,
    )


def describe(folder: Path) -> dict:
    """Compute the scores of ``image.png`` and collect the versions used."""
    sys.path.insert(0, str(ROOT))
    import mmengine
    import mmpretrain
    import torch

    import mmmsf

    inferencer = mmmsf.MultiLabelInferencer(pretrained=folder / FILES[0], device='cpu')
    (result,) = inferencer(str(folder / 'image.png'), return_scores=True, show_progress=False)
    return dict(
        scores=dict(zip(inferencer.classes, map(float, result['all_scores']), strict=True)),
        thresholds=dict(zip(inferencer.classes, inferencer.thresholds.tolist(), strict=True)),
        versions=dict(
            mmmsf=mmmsf.__version__,
            torch=torch.__version__,
            mmengine=mmengine.__version__,
            mmpretrain=mmpretrain.__version__,
        ),
    )


def make(folder: Path) -> Path:
    """Train in ``folder`` and return the folder in it with the files to store."""
    kept = folder / 'kept'
    kept.mkdir()
    write_data(folder / 'data')
    (folder / 'config.py').write_text(CONFIG, encoding='utf-8')
    run(folder, 'train.py', 'config.py', '--work-dir', 'run')
    run(folder, 'test.py', 'config.py', 'run/epoch_2.pth', '--work-dir', 'test', '--out', 'p.npz')
    run(
        folder,
        'analysis/tune_thresholds.py',
        'p.npz',
        '--checkpoint',
        'run/epoch_2.pth',
        '--out',
        f'kept/{FILES[0]}',
    )
    for name in FILES[1:]:
        run(folder, 'publish_model.py', f'kept/{FILES[0]}', f'kept/{name}')
    shutil.copy(folder / 'data/val_0.png', kept / 'image.png')
    (kept / 'scores.json').write_text(json.dumps(describe(kept), indent=2) + '\n')
    for path in kept.iterdir():
        if path.stat().st_size > MAX_BYTES:
            raise SystemExit(
                f'{path.name} takes {path.stat().st_size:,} bytes, more than '
                f'{MAX_BYTES:,}: make the model smaller'
            )
    return kept


def read_version() -> str:
    return runpy.run_path(str(ROOT / 'mmmsf/version.py'))['__version__']


def main() -> None:
    target = Path(__file__).resolve().parent / read_version()
    if target.exists():
        raise SystemExit(
            f'{target} exists: what a release wrote is never written anew. For the '
            'next release set the version in mmmsf/version.py first'
        )
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(make(Path(folder)), target)
    for path in sorted(target.iterdir()):
        print(f'{path}: {path.stat().st_size:,} bytes')


if __name__ == '__main__':
    main()
