"""A training that is learnt in a second: plain colours, and a linear head on their mean."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn

COLOURS = ('blue', 'green', 'red')


@MODELS.register_module()
class PixelBackbone(BaseModule):
    """Give the image itself as the only map, in cells of 8 x 8 px."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Average (B, 3, H, W) to (B, 3, H / 8, W / 8)."""
        return (nn.functional.avg_pool2d(x, 8),)


def make_colour_training(folder: Path, wrong: Mapping[int, str], count: int = 48) -> Config:
    """Write images, labels and a config ``c.py``.

    Args:
        folder: Where to.
        wrong: Image -> colour whose label is turned round.
        count: Number of images.
    """
    rng = np.random.default_rng(0)
    rows = ['path,labels']
    for i in range(count):
        shown = [(i >> k) & 1 == 1 for k in range(len(COLOURS))]
        pixels = rng.integers(0, 60, (32, 32, 3)) + 180 * np.array(shown)
        cv2.imwrite(str(folder / f'{i}.png'), pixels.astype(np.uint8))
        marked = {name for name, there in zip(COLOURS, shown, strict=True) if there}
        if i in wrong:
            marked ^= {wrong[i]}
        rows.append(f'{i}.png,{";".join(sorted(marked))}')
    (folder / 'labels.csv').write_text('\n'.join(rows) + '\n')
    data = dict(
        type='mmmsf.CsvMultiLabel',
        ann_file='labels.csv',
        data_root=str(folder),
        classes=list(COLOURS),
        pipeline=[dict(type='mmmsf.LoadImage'), dict(type='PackInputs')],
    )

    def loader(**more: Any) -> dict[str, Any]:
        return dict(
            batch_size=8,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle='test_mode' not in more),
            collate_fn=dict(type='default_collate'),
            dataset=dict(data, **more),
        )

    evaluate = dict(type='mmmsf.MultiLabelMetric')
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            custom_imports=dict(imports=['mmmsf', __name__], allow_failed_imports=False),
            model=dict(
                type='ImageClassifier',
                data_preprocessor=dict(num_classes=3, mean=[128.0] * 3, std=[64.0] * 3),
                backbone=dict(type='PixelBackbone'),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(type='MultiLabelLinearClsHead', num_classes=3, in_channels=3),
            ),
            train_dataloader=loader(),
            val_dataloader=loader(test_mode=True),
            test_dataloader=loader(test_mode=True),
            train_cfg=dict(by_epoch=True, max_epochs=5),
            val_cfg=dict(),
            test_cfg=dict(),
            val_evaluator=evaluate,
            test_evaluator=evaluate,
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.0)),
            custom_hooks=[dict(type='mmmsf.ReportHook')],
            default_hooks=dict(checkpoint=dict(type='mmmsf.AtomicCheckpointHook', interval=1)),
        )
    )
    cfg.dump(folder / 'c.py')
    return cfg
