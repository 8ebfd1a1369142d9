_base_ = '../_base_/evidence_voc-mini.py'

model = dict(
    backbone=dict(out_indices=(4, )),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='MultiLabelLinearClsHead', in_channels=320))
# A linear layer trains stably at ten times the backbone's rate.
optim_wrapper = dict(
    optimizer=dict(lr=1e-3), paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10.0))))
