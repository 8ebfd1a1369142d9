# The training of a head on a frozen backbone: 8 epochs. The rate is the linear head's.
_base_ = './ema_runtime_voc-mini.py'

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
