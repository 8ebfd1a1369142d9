# The training of ours on a frozen backbone.
_base_ = './frozen_runtime.py'

optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    # Linear in a frozen map, so it learns at the rate of the linear head
    paramwise_cfg=dict(custom_keys={'head.pooling': dict(lr_mult=10.0)}))
