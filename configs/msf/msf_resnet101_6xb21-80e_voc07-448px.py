# The paper's network and schedule on VOC 2007, from ImageNet weights.
_base_ = [
    '../_base_/models/msf_resnet101.py',
    '../_base_/datasets/voc07_448px.py',
    '../_base_/schedules/adamw_onecycle_80e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=20))
train_dataloader = dict(batch_size=21)
custom_hooks = _base_.custom_hooks + [
    dict(type='EMAHook', momentum=2e-4, update_buffers=True, priority='ABOVE_NORMAL'),
]
