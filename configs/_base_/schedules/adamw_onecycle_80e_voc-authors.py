# The first author's VOC runs: batch 16, half the rate and half the decay, a first beta that cycles.
_base_ = './adamw_onecycle_80e.py'

optim_wrapper = dict(optimizer=dict(lr=5e-5, weight_decay=5e-3))
param_scheduler = dict(cycle_momentum=(0.85, 0.95))
auto_scale_lr = dict(base_batch_size=16)
