"""A config with four images, to test and to train with."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config

from tests.helpers.small_checkpoint import CLASSES, small_config


def make_data(folder: Path) -> Config:
    """Write four images with labels, and a config ``c.py`` to test with."""
    labels = ('cat', 'dog;tree', 'cat;dog;red bus', 'cup;tree')
    rows = ['path,labels']
    for i, names in enumerate(labels):
        pixels = np.random.default_rng(i).integers(0, 256, (3, 5, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{i}.png'), cv2.resize(pixels, (80, 48)))
        rows.append(f'{i}.png,{names}')
    (folder / 'labels.csv').write_text('\n'.join(rows) + '\n')
    cfg: Any = small_config()
    cfg.test_dataloader.dataset.update(
        ann_file=str(folder / 'labels.csv'), data_root=str(folder), classes=CLASSES, test_mode=True
    )
    cfg.test_cfg = dict()
    cfg.test_evaluator = dict(type='mmmsf.MultiLabelMetric')
    cfg.custom_hooks = [dict(type='mmmsf.ReportHook'), dict(type='mmmsf.ContactSheetHook')]
    cfg.dump(folder / 'c.py')
    return cfg


def make_training_data(folder: Path, epochs: int, **changes: Any) -> Config:
    """Add training and validation on the four images of :func:`make_data`."""
    cfg = make_data(folder)
    cfg.val_dataloader, cfg.val_cfg, cfg.val_evaluator = cfg.test_dataloader, {}, cfg.test_evaluator
    cfg.train_dataloader = cfg.test_dataloader
    cfg.train_cfg = dict(by_epoch=True, max_epochs=epochs)
    cfg.optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
    cfg.merge_from_dict(changes)
    cfg.dump(folder / 'c.py')
    return cfg
