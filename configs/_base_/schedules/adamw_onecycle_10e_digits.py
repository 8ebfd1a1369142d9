# From scratch on the digits. Neck and head have a far lower rate: at 1e-3 a post-norm Transformer on
# untrained features predicts the class frequencies for epochs.
max_epochs = 10

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-3, weight_decay=1e-2),
    paramwise_cfg=dict(
        custom_keys=dict(neck=dict(lr_mult=0.04), head=dict(lr_mult=0.04))),  # 2e-4
    clip_grad=dict(max_norm=5.0))
param_scheduler = dict(
    type='mmmsf.OneCycleLR', pct_start=0.1, by_epoch=True, begin=0, end=max_epochs,
    convert_to_iter_based=True)
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=16)
