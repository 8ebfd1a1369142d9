"""Text of a config for own data."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from .backbones import BACKBONES, Choice
from .layout import WIDTH, Name, layout
from .schedule import Schedule

EMBED_DIMS, FEEDFORWARD = 256, 1024
WRAP: dict[str, Any] = dict(break_long_words=False, break_on_hyphens=False)
FORMAT = '# fmt: off\n'


def _assign(name: str, value: Any, *comments: str) -> str:
    lines = [line for comment in comments for line in textwrap.wrap(comment, WIDTH - 2, **WRAP)]
    return ''.join(f'# {line}\n' for line in lines) + layout(value, f'{name} = ') + '\n'


def network(choice: Choice, schedule: Schedule, num_classes: int) -> dict[str, Any]:
    """Return the config of the backbone and the recommended head."""
    chosen = BACKBONES[choice.name]
    backbone: dict[str, Any] = {
        **chosen.arguments,
        **({} if not schedule.frozen else chosen.frozen),
    }
    if chosen.sized:
        backbone['img_size'] = schedule.px
    if choice.weights is not None:
        backbone['init_cfg'] = dict(
            type='Pretrained', checkpoint=choice.weights, prefix='backbone.'
        )
    head = dict(
        type='mmmsf.MSFHead',
        profile='ours',
        num_classes=num_classes,
        embed_dims=EMBED_DIMS,
        feedforward_channels=FEEDFORWARD,
        pooling_channels=chosen.final,
        loss=dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=4.0, clip=0.0),
    )
    neck = dict(
        type='mmmsf.MSFNeck',
        profile='ours',
        in_channels=list(chosen.stages),
        embed_dims=EMBED_DIMS,
        passthrough=True,
    )
    return dict(type='ImageClassifier', backbone=backbone, neck=neck, head=head)


def _pipelines(choice: Choice, schedule: Schedule) -> str:
    px, mode = schedule.px, BACKBONES[choice.name].interpolation
    load, pack = dict(type='mmmsf.LoadImage'), dict(type='PackInputs', algorithm_keys=('gt_area',))
    crop = dict(
        type='RandomResizedCrop', scale=(px, px), crop_ratio_range=(0.35, 1.0), interpolation=mode
    )
    flip = dict(type='mmmsf.RandomFlip', prob=0.5, direction='horizontal')
    resize = dict(type='Resize', scale=(px, px), interpolation=mode)
    why = f'{px} px {schedule.px_why}.'
    return _assign(
        'train_pipeline', [load, crop, flip, dict(type='mmmsf.PackInputs')], f'Images: {why}'
    ) + _assign('test_pipeline', [load, resize, pack])


def _loaders(schedule: Schedule, sides: Mapping[str, Mapping[str, Any]], counts: str) -> str:
    def loader(side: str, batch: int, **more: Any) -> dict[str, Any]:
        own = {'**': Name('data'), **sides[side]}
        pipeline = Name('train_pipeline' if side == 'train' else 'test_pipeline')
        return dict(
            batch_size=batch,
            num_workers=schedule.workers,
            sampler=dict(type='DefaultSampler', shuffle=side == 'train'),
            **({} if side == 'val' else dict(drop_last=True)),
            dataset={**own, 'pipeline': pipeline, **more},
        )

    batch = schedule.batch_size
    return (
        _assign('train_dataloader', loader('train', batch), f'{counts}, {batch} a step.')
        + _assign('val_dataloader', loader('val', 2 * batch, test_mode=True))
        + 'test_dataloader = val_dataloader\n'
    )


def _training(schedule: Schedule, pretrained: bool) -> str:
    pooling = {'head.pooling': dict(lr_mult=10.0)}  # linear, so it learns at a linear head's rate
    if schedule.frozen:
        rate, keys, why = 1e-3, pooling, 'the linear part of the head ten times as fast'
    elif pretrained:
        rate, keys = 3e-4, {'backbone': dict(lr_mult=0.1), **pooling}
        why = "the backbone at a tenth of the head's rate, the head's linear part at ten times"
    else:
        rate, keys, why = 1e-3, {}, 'all parts at one rate'
    optimizer = dict(
        type='mmmsf.AmpOptimWrapper' if schedule.gpu else 'OptimWrapper',
        optimizer=dict(type='AdamW', lr=rate, weight_decay=1e-2),
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
        _assign('max_epochs', schedule.epochs, f'Schedule: {schedule.epochs_why}.')
        + _assign('optim_wrapper', optimizer, f'Rates: {why}.')
        + _assign('param_scheduler', scheduler)
        + _assign('train_cfg', loop)
        + 'val_cfg = dict()\ntest_cfg = dict()\n'
    )


def _runtime(schedule: Schedule) -> str:
    hooks = dict(
        logger=dict(type='LoggerHook', interval=min(max(schedule.steps, 1), 20)),
        checkpoint=dict(
            type='mmmsf.AtomicCheckpointHook',
            interval=schedule.interval,
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
        + _assign('default_hooks', hooks, why)
        + _assign('custom_hooks', [dict(type=name) for name in more])
        + (_assign('env_cfg', dict(cudnn_benchmark=True)) if schedule.gpu else '')
        + _assign('randomness', dict(seed=0))
    )


def config_text(
    title: str,
    data: dict[str, Any],
    classes: Sequence[str],
    sides: Mapping[str, Mapping[str, Any]],
    counts: str,
    choice: Choice,
    schedule: Schedule,
) -> str:
    """Write the config.

    Args:
        title: First comment.
        data: Arguments that both datasets share, without classes and split.
        classes: Class names.
        sides: Further arguments of the datasets ``train`` and ``val``.
        counts: Numbers of images, for a comment.
        choice: Backbone and weights.
        schedule: Size, batch and epochs.

    Returns:
        Python source, in filled lines as in ``configs``, which formatters leave as it is.
    """
    pixels = BACKBONES[choice.name].pixels
    preprocessor = dict(
        num_classes=len(classes), mean=list(pixels[0]), std=list(pixels[1]), to_rgb=True
    )
    state = 'frozen' if schedule.frozen else 'trained'
    return '\n'.join(
        [
            FORMAT
            + _assign('custom_imports', dict(imports=['mmmsf'], allow_failed_imports=False), title)
            + "default_scope = 'mmpretrain'\n",
            _assign('classes', list(classes))
            + _assign('data', {**data, 'classes': Name('classes')}),
            _pipelines(choice, schedule),
            _loaders(schedule, sides, counts),
            _assign('data_preprocessor', preprocessor, 'The pixels as the backbone knows them.')
            + _assign(
                'model',
                network(choice, schedule, len(classes)),
                f'Backbone: {choice.text}; {state} {schedule.frozen_why}.',
                f'Neck and head: the recommended ones (profile ours), {EMBED_DIMS} wide.',
            ),
            _training(schedule, choice.weights is not None),
            _runtime(schedule),
        ]
    )
