# Hooks, environment and logging of every run.
custom_imports = dict(imports=['mmmsf'], allow_failed_imports=False)
default_scope = 'mmpretrain'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='mmmsf.AtomicCheckpointHook', interval=1, max_keep_ckpts=2,
        save_best='multi-label/mAP', rule='greater'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    non_finite=dict(type='mmmsf.NonFiniteLossHook'),
    targets=dict(type='mmmsf.TargetCheckHook'),
    loss_epoch=dict(type='mmmsf.LossEpochHook'),
    label_counts=dict(type='mmmsf.LabelCountHook'),
    summary=dict(type='mmmsf.RunSummaryHook'),
    thresholds=dict(type='mmmsf.TuneThresholdsHook'))

custom_hooks = [
    dict(type='mmmsf.ClassCheckHook'),
    dict(type='mmmsf.ReportHook'),
    dict(type='mmmsf.ContactSheetHook'),
    dict(type='SyncBuffersHook'),
]

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))

visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0, deterministic=False)
