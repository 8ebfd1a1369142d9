# A small set and a pretrained backbone: 5 epochs of 34 steps, mixed precision (bfloat16 on a CPU).
# The rate was tuned for every head on a fifth of train (configs/evidence/README.md).
max_epochs = 5

optim_wrapper = dict(
    type='mmmsf.AmpOptimWrapper', optimizer=dict(type='AdamW', lr=3e-4, weight_decay=1e-2),
    clip_grad=dict(max_norm=5.0))
param_scheduler = dict(
    type='mmmsf.OneCycleLR', pct_start=0.2, by_epoch=True, begin=0, end=max_epochs,
    convert_to_iter_based=True)
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=5)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=16)
