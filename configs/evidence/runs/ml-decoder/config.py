auto_scale_lr = dict(base_batch_size=16)
custom_hooks = [
    dict(type='mmmsf.ClassCheckHook'),
    dict(type='mmmsf.ReportHook'),
    dict(type='mmmsf.ContactSheetHook'),
    dict(type='SyncBuffersHook'),
    dict(type='mmmsf.ChannelsLastHook'),
    dict(
        evaluate_raw=False,
        momentum=0.03,
        priority='ABOVE_NORMAL',
        type='mmmsf.EMAWithRawEvalHook',
        update_buffers=True),
]
custom_imports = dict(
    allow_failed_imports=False, imports=[
        'mmmsf',
    ])
data_preprocessor = dict(
    mean=[
        127.0,
        127.0,
        127.0,
    ],
    num_classes=20,
    std=[
        128.0,
        128.0,
        128.0,
    ],
    to_rgb=True)
data_root = 'data/voc_mini/VOCdevkit/VOC2012'
default_hooks = dict(
    checkpoint=dict(
        interval=1,
        max_keep_ckpts=1,
        rule='greater',
        save_best=None,
        type='CheckpointHook'),
    logger=dict(interval=10, type='LoggerHook'),
    param_scheduler=dict(type='ParamSchedulerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    timer=dict(type='IterTimerHook'))
default_scope = 'mmpretrain'
env_cfg = dict(
    cudnn_benchmark=True,
    dist_cfg=dict(backend='nccl'),
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
launcher = 'none'
load_from = None
log_level = 'INFO'
max_epochs = 5
model = dict(
    backbone=dict(
        features_only=True,
        frozen=(
            'conv_stem',
            'bn1',
            'blocks.0',
            'blocks.1',
            'blocks.2',
            'blocks.3',
            'blocks.4',
        ),
        init_cfg=dict(
            checkpoint='data/efficientnet-lite0.pth',
            prefix='backbone.',
            type='Pretrained'),
        model_name='tf_efficientnet_lite0',
        out_indices=(4, ),
        type='mmmsf.FrozenTIMMBackbone'),
    head=dict(
        embed_dims=768,
        feedforward_channels=2048,
        in_channels=320,
        loss=dict(
            clip=0.0,
            gamma_neg=4.0,
            gamma_pos=0.0,
            type='mmmsf.AsymmetricLoss'),
        num_classes=20,
        num_groups=None,
        num_heads=8,
        thr=0.5,
        type='mmmsf.MLDecoderHead'),
    type='ImageClassifier')
optim_wrapper = dict(
    clip_grad=dict(max_norm=5.0),
    optimizer=dict(lr=0.0003, type='AdamW', weight_decay=0.01),
    type='mmmsf.AmpOptimWrapper')
param_scheduler = dict(
    begin=0,
    by_epoch=True,
    convert_to_iter_based=True,
    end=5,
    pct_start=0.2,
    type='mmmsf.OneCycleLR')
randomness = dict(deterministic=False, seed=0)
resume = False
test_cfg = dict()
test_dataloader = dict(
    batch_size=32,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        data_root='data/voc_mini/VOCdevkit/VOC2012',
        difficult='ignore',
        pipeline=[
            dict(type='mmmsf.LoadImage'),
            dict(interpolation='bicubic', scale=(
                224,
                224,
            ), type='Resize'),
            dict(algorithm_keys=('gt_area', ), type='PackInputs'),
        ],
        split='val',
        test_mode=True,
        type='mmmsf.VocMultiLabel'),
    num_workers=1,
    persistent_workers=True,
    pin_memory=False,
    sampler=dict(shuffle=False, type='DefaultSampler'))
test_evaluator = dict(min_positives=10, thr=0.5, type='mmmsf.MultiLabelMetric')
test_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(interpolation='bicubic', scale=(
        224,
        224,
    ), type='Resize'),
    dict(algorithm_keys=('gt_area', ), type='PackInputs'),
]
train_cfg = dict(by_epoch=True, max_epochs=5, val_interval=5)
train_dataloader = dict(
    batch_size=16,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        data_root='data/voc_mini/VOCdevkit/VOC2012',
        difficult='ignore',
        pipeline=[
            dict(type='mmmsf.LoadImage'),
            dict(interpolation='bicubic', scale=(
                224,
                224,
            ), type='Resize'),
            dict(direction='horizontal', prob=0.5, type='mmmsf.RandomFlip'),
            dict(
                pad_val=(
                    127,
                    127,
                    127,
                ),
                prob=0.5,
                shape=112,
                type='mmmsf.Cutout'),
            dict(
                hparams=dict(pad_val=[
                    128,
                    128,
                    128,
                ]),
                magnitude_level=9,
                magnitude_std=0.5,
                num_policies=2,
                policies='timm_increasing',
                total_level=10,
                type='mmmsf.RandAugment'),
            dict(type='mmmsf.PackInputs'),
        ],
        split='train',
        type='mmmsf.VocMultiLabel'),
    drop_last=True,
    num_workers=1,
    persistent_workers=True,
    pin_memory=False,
    sampler=dict(shuffle=True, type='DefaultSampler'))
train_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(interpolation='bicubic', scale=(
        224,
        224,
    ), type='Resize'),
    dict(direction='horizontal', prob=0.5, type='mmmsf.RandomFlip'),
    dict(pad_val=(
        127,
        127,
        127,
    ), prob=0.5, shape=112, type='mmmsf.Cutout'),
    dict(
        hparams=dict(pad_val=[
            128,
            128,
            128,
        ]),
        magnitude_level=9,
        magnitude_std=0.5,
        num_policies=2,
        policies='timm_increasing',
        total_level=10,
        type='mmmsf.RandAugment'),
    dict(type='mmmsf.PackInputs'),
]
val_cfg = dict()
val_dataloader = dict(
    batch_size=32,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        data_root='data/voc_mini/VOCdevkit/VOC2012',
        difficult='ignore',
        pipeline=[
            dict(type='mmmsf.LoadImage'),
            dict(interpolation='bicubic', scale=(
                224,
                224,
            ), type='Resize'),
            dict(algorithm_keys=('gt_area', ), type='PackInputs'),
        ],
        split='val',
        test_mode=True,
        type='mmmsf.VocMultiLabel'),
    num_workers=1,
    persistent_workers=True,
    pin_memory=False,
    sampler=dict(shuffle=False, type='DefaultSampler'))
val_evaluator = dict(min_positives=10, thr=0.5, type='mmmsf.MultiLabelMetric')
visualizer = dict(
    type='UniversalVisualizer', vis_backends=[
        dict(type='LocalVisBackend'),
    ])
work_dir = 'work_dirs/evidence/ml-decoder/seed0'
