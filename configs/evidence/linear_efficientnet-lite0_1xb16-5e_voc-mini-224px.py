_base_ = [
    '../_base_/models/efficientnet-lite0.py',
    '../_base_/datasets/voc_mini_224px.py',
    '../_base_/schedules/adamw_onecycle_5e_voc-mini.py',
    '../_base_/ema_runtime_voc-mini.py',
]

model = dict(
    backbone=dict(out_indices=(4, )),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='MultiLabelLinearClsHead', num_classes=20, in_channels=320,
        loss=dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=4.0, clip=0.0), thr=0.5))
# A linear layer has no start to spoil: ten times the backbone's rate.
optim_wrapper = dict(
    optimizer=dict(lr=1e-3), paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10.0))))
