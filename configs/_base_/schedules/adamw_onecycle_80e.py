# The paper's schedule: AdamW, one cycle over 80 epochs, batch 126 = 6 x 21; mixed precision.
optim_wrapper = dict(
    type='mmmsf.AmpOptimWrapper', optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-2))
param_scheduler = dict(
    type='mmmsf.OneCycleLR', pct_start=0.2, by_epoch=True, begin=0, end=80,
    convert_to_iter_based=True)
train_cfg = dict(by_epoch=True, max_epochs=80, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=126)
