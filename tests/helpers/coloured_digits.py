"""Handwritten digits in coloured ink: two exclusive groups and two free classes."""

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from sklearn.datasets import load_digits

DIGITS, INKS, FREE = tuple('0123456789'), ('red', 'green', 'blue'), ('frame', 'dot')
CLASSES = [*DIGITS, *INKS, *FREE]
GROUPS = [
    dict(name='digit', classes=list(DIGITS), rule='one'),
    dict(name='ink', classes=list(INKS), rule='at_most_one'),  # white ink is none of them
]
COLOURS = {'red': (90, 90, 255), 'green': (90, 255, 90), 'blue': (255, 120, 90), '': (220,) * 3}


def draw(
    digit: np.ndarray, ink: str, frame: bool, dot: bool, rng: np.random.Generator, palest: float
) -> Any:
    """An image (32, 32, 3), BGR, of a digit (8, 8) of 0 to 16."""
    side = int(rng.integers(18, 27))
    top, left = rng.integers(2, 31 - side, 2)
    colour = 220 + rng.uniform(palest, 1) * (np.array(COLOURS[ink]) - 220.0)
    mask = np.zeros((32, 32))
    mask[top : top + side, left : left + side] = cv2.resize(digit / 16, (side, side))
    image = rng.integers(20, 90, 3) + mask[..., None] * (colour - 60)
    if frame:
        cv2.rectangle(image, (1, 1), (30, 30), (150, 150, 150), 1)
    if dot:
        cv2.circle(image, tuple(map(int, rng.integers(4, 28, 2))), 2, (160, 160, 160), -1)
    return (image + rng.normal(0, 15, image.shape)).clip(0, 255).astype(np.uint8)


def write_split(
    folder: Path,
    split: str,
    rows: np.ndarray,
    seed: int,
    unknown: float = 0.0,
    palest: float = 1.0,
) -> None:
    """Write ``<split>/*.png`` and the one-hot table ``<split>.csv``.

    Args:
        rows: Indices of scikit-learn's digits.
        unknown: Part of the entries of the table that are ``?``.
        palest: Saturation of the palest ink, 0 to 1.
    """
    data, rng = load_digits(), np.random.default_rng(seed)
    (folder / split).mkdir(parents=True)
    with open(folder / f'{split}.csv', 'w', newline='') as file:
        table = csv.writer(file)
        table.writerow(['path', *CLASSES])
        for i, row in enumerate(rows):
            ink = str(rng.choice([*INKS, '']))
            frame, dot = (bool(x) for x in rng.random(2) < 0.4)
            cv2.imwrite(
                str(folder / split / f'{i}.png'),
                draw(data.images[row], ink, frame, dot, rng, palest),
            )
            labels = {str(data.target[row]), ink, *(['frame'] * frame), *(['dot'] * dot)}
            hidden = rng.random(len(CLASSES)) < unknown
            cells = [
                '?' if hide else int(x in labels) for x, hide in zip(CLASSES, hidden, strict=True)
            ]
            table.writerow([f'{i}.png', *cells])


def write_data(
    folder: Path,
    train: int = 64,
    val: int = 32,
    seed: int = 0,
    unknown: float = 0.0,
    palest: float = 1.0,
) -> None:
    """Write both splits, unknown labels in the first; no handwritten digit is in both."""
    order = np.random.default_rng(seed).permutation(1797)
    write_split(folder, 'train', order[:train], seed + 1, unknown, palest)
    write_split(folder, 'val', order[-val:], seed + 2, palest=palest)


def make_config(folder: Path, grouped: bool = True, epochs: int = 1, channels: int = 8) -> Config:
    """A config of a small training on the data in ``folder``, without groups if not ``grouped``."""
    options = dict(groups=GROUPS) if grouped else {}
    pipeline = [dict(type='mmmsf.LoadImage'), dict(type='PackInputs')]
    test, common = dict(test_mode=True), dict(num_workers=0, persistent_workers=False)

    def loader(split: str, shuffle: bool, **dataset: Any) -> dict[str, Any]:
        return dict(
            batch_size=16,
            sampler=dict(type='DefaultSampler', shuffle=shuffle),
            dataset=dict(
                type='mmmsf.CsvMultiLabel',
                ann_file=f'{split}.csv',
                data_root=str(folder),
                data_prefix=split,
                classes=CLASSES,
                pipeline=pipeline,
                **options,
                **dataset,
            ),
            **common,
        )

    linear = dict(
        type='MultiLabelLinearClsHead', num_classes=len(CLASSES), in_channels=8 * channels
    )
    bce = dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=0.0)
    cfg = Config.fromfile(Path(__file__).parents[2] / 'configs/_base_/default_runtime.py')
    cfg.merge_from_dict(
        dict(
            model=dict(
                type='mmmsf.GroupedClassifier' if grouped else 'ImageClassifier',
                data_preprocessor=dict(mean=[90.0] * 3, std=[60.0] * 3, to_rgb=True),
                backbone=dict(
                    type='ResNet_CIFAR',
                    depth=18,
                    base_channels=channels,
                    stem_channels=channels,
                    strides=(2, 2, 2, 2),
                    out_indices=(3,),
                ),
                neck=dict(type='GlobalAveragePooling'),
                head={**linear, 'loss': bce},
                **(dict(classes=CLASSES, **options) if grouped else {}),
            ),
            train_dataloader=loader('train', True),
            val_dataloader=loader('val', False, **test),
            test_dataloader=loader('val', False, **test),
            val_evaluator=dict(type='mmmsf.MultiLabelMetric'),
            test_evaluator=dict(type='mmmsf.MultiLabelMetric'),
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            val_cfg=dict(),
            test_cfg=dict(),
            optim_wrapper=dict(
                type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05)
            ),
            param_scheduler=[dict(type='CosineAnnealingLR', by_epoch=True, T_max=epochs)],
            visualizer=dict(
                type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')]
            ),
        )
    )
    return cfg
