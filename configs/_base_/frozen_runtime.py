# Heads on a frozen backbone, 8 epochs; here the linear head on the last map. configs/evidence/frozen.yml has
# the other heads.
_base_ = ['./models/efficientnet-lite0_frozen.py', './ema_runtime_voc-mini.py']

model = dict(
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='MultiLabelLinearClsHead', in_channels=1280,
        loss=dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=4.0, clip=0.0), thr=0.5))

max_epochs = 8
optim_wrapper = dict(
    type='mmmsf.AmpOptimWrapper', optimizer=dict(type='AdamW', lr=1e-2, weight_decay=1e-2),
    clip_grad=dict(max_norm=5.0))
param_scheduler = dict(
    type='mmmsf.OneCycleLR', pct_start=0.2, by_epoch=True, begin=0, end=max_epochs,
    convert_to_iter_based=True)
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict()
test_cfg = dict()
# A run takes a minute: only its end is kept.
default_hooks = dict(checkpoint=dict(interval=max_epochs))
