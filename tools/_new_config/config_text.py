"""Text of a config for own data."""

from collections.abc import Mapping, Sequence
from typing import Any

from .backbones import BACKBONES
from .layout import Name, assign
from .run_text import runtime_text, training_text
from .schedule import Schedule
from .weights import Choice

EMBED_DIMS, FEEDFORWARD = 256, 1024
# A query of each scale for each of hundreds of classes makes a step several times as long; with 100
# for all of them, as ML-Decoder has, the network wins on 374 words (configs/evidence/README.md).
MANY_CLASSES, NUM_GROUPS = 200, 100
FORMAT = '# fmt: off\n'


def network(choice: Choice, schedule: Schedule, num_classes: int) -> dict[str, Any]:
    """Return the config of the backbone and the recommended head."""
    chosen = BACKBONES[choice.name]
    more = chosen.frozen if schedule.frozen else {} if choice.weights is None else chosen.trained
    backbone: dict[str, Any] = {**chosen.arguments, **more}
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
        **(dict(num_groups=NUM_GROUPS) if num_classes > MANY_CLASSES else {}),
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
    side = schedule.test_px
    resize = dict(type='Resize', scale=(side, side), interpolation=mode)
    why = f'{px} px {schedule.px_why}.'
    larger = [f'Whole images at {side} px, since crops of {px} px show things larger.']
    return assign(
        'train_pipeline', [load, crop, flip, dict(type='mmmsf.PackInputs')], f'Images: {why}'
    ) + assign('test_pipeline', [load, resize, pack], *(larger if side > px else []))


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
        assign('train_dataloader', loader('train', batch), f'{counts}, {batch} a step.')
        + assign('val_dataloader', loader('val', 2 * batch, test_mode=True))
        + 'test_dataloader = val_dataloader\n'
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
    chosen = BACKBONES[choice.name]
    pixels = chosen.pixels
    preprocessor = dict(
        num_classes=len(classes), mean=list(pixels[0]), std=list(pixels[1]), to_rgb=True
    )
    model = network(choice, schedule, len(classes))
    head_why = f'Neck and head: the recommended ones (profile ours), {EMBED_DIMS} wide.'
    if 'num_groups' in model['head']:
        head_why += (
            f' Neighbouring classes share a query: with one for each of {len(classes)} a step'
            ' takes several times as long.'
        )
    state = 'frozen' if schedule.frozen else 'trained'
    why = f'Backbone: {choice.text}; {state} {schedule.frozen_why}.'
    if not schedule.frozen and 'norm_eval' in model['backbone']:
        why += ' Its batch norms keep their statistics.'
    return '\n'.join(
        [
            FORMAT
            + assign('custom_imports', dict(imports=['mmmsf'], allow_failed_imports=False), title)
            + "default_scope = 'mmpretrain'\n",
            assign('classes', list(classes)) + assign('data', {**data, 'classes': Name('classes')}),
            _pipelines(choice, schedule),
            _loaders(schedule, sides, counts),
            assign('data_preprocessor', preprocessor, 'The pixels as the backbone knows them.')
            + assign(
                'model',
                model,
                why,
                head_why,
            ),
            training_text(schedule, None if choice.weights is None else chosen.rates()),
            runtime_text(schedule),
        ]
    )
