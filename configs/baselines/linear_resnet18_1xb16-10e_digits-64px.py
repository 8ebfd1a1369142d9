_base_ = '../msf/msf_resnet18_1xb16-10e_digits-64px.py'

model = dict(
    backbone=dict(out_indices=(3, )),
    neck=dict(_delete_=True, type='GlobalAveragePooling'),
    head=dict(
        _delete_=True, type='MultiLabelLinearClsHead', num_classes=10, in_channels=128,
        loss=dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=4.0, clip=0.0), thr=0.5))
# A linear layer trains stably at the backbone's rate.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=1.0))))
