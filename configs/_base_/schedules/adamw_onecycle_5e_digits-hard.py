# From a backbone trained on the easier digits. The rates were tuned on the last fifth of the training
# set, for MSF here and for each baseline in its config (configs/baselines/README.md).
max_epochs = 5

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=6e-3, weight_decay=1e-2),
    paramwise_cfg=dict(
        custom_keys=dict(neck=dict(lr_mult=0.5), head=dict(lr_mult=0.1))),
    clip_grad=dict(max_norm=5.0))
param_scheduler = dict(
    type='mmmsf.OneCycleLR', pct_start=0.1, by_epoch=True, begin=0, end=max_epochs,
    convert_to_iter_based=True)
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=16)
