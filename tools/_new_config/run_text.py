"""Second half of a config for own data: training and hooks."""

from collections.abc import Mapping
from typing import Any

from .layout import Name, assign
from .schedule import Schedule


def training_text(schedule: Schedule, rates: Mapping[str, Any] | None) -> str:
    """Write rates, schedule and loops.

    Args:
        schedule: Size, batch and epochs.
        rates: Rates of the parts of a pretrained backbone, or None for random weights.
    """
    if schedule.frozen:
        keys = {'head.pooling': dict(lr_mult=10.0)}
        why = 'the linear part of the head ten times as fast'
    elif rates is not None:
        keys = {**rates, 'head.pooling': dict(lr_mult=3.0)}
        why = (
            "each part of the backbone at less of the head's rate than the part behind it, the "
            "head's linear part at three times"
        )
    else:
        keys, why = {}, 'all parts at one rate'
    optimizer = dict(
        type='mmmsf.AmpOptimWrapper' if schedule.gpu else 'OptimWrapper',
        optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-2),
        clip_grad=dict(max_norm=5.0),
        **(dict(paramwise_cfg=dict(custom_keys=keys)) if keys else {}),
    )
    scheduler = dict(
        type='mmmsf.OneCycleLR',
        pct_start=0.2,
        by_epoch=True,
        begin=0,
        end=Name('max_epochs'),
        convert_to_iter_based=True,
    )
    loop = dict(by_epoch=True, max_epochs=Name('max_epochs'), val_interval=schedule.interval)
    return (
        assign('max_epochs', schedule.epochs, f'Schedule: {schedule.epochs_why}.')
        + assign('optim_wrapper', optimizer, f'Rates: {why}.')
        + assign('param_scheduler', scheduler)
        + assign('train_cfg', loop)
        + 'val_cfg = dict()\ntest_cfg = dict()\n'
    )


def runtime_text(schedule: Schedule) -> str:
    """Write metric and hooks."""
    hooks = dict(
        logger=dict(type='LoggerHook', interval=min(max(schedule.steps, 1), 20)),
        checkpoint=dict(
            type='mmmsf.AtomicCheckpointHook',
            interval=schedule.saved,
            max_keep_ckpts=1,
        ),
        non_finite=dict(type='mmmsf.NonFiniteLossHook'),
        summary=dict(type='mmmsf.RunSummaryHook'),
        thresholds=dict(type='mmmsf.TuneThresholdsHook'),
    )
    more = ('mmmsf.ClassCheckHook', 'mmmsf.ReportHook', 'mmmsf.ChannelsLastHook', 'SyncBuffersHook')
    why = 'The last checkpoint is kept, with a threshold for each class tuned on val.'
    return (
        "val_evaluator = test_evaluator = dict(type='mmmsf.MultiLabelMetric', thr=0.5)\n"
        + assign('default_hooks', hooks, why)
        + assign('custom_hooks', [dict(type=name) for name in more])
        + (assign('env_cfg', dict(cudnn_benchmark=True)) if schedule.gpu else '')
        + assign('randomness', dict(seed=0))
    )
