_base_ = [
    '../_base_/models/csra_resnet101.py',
    '../_base_/datasets/coco14_448px.py',
    '../_base_/schedules/adamw_onecycle_80e.py',
    '../_base_/default_runtime.py',
]

custom_hooks = _base_.custom_hooks + [
    dict(type='EMAHook', momentum=2e-4, update_buffers=True, priority='ABOVE_NORMAL'),
]
