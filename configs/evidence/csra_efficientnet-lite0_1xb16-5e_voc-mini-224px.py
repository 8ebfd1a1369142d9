_base_ = '../_base_/evidence_voc-mini.py'

model = dict(
    backbone=dict(out_indices=(4, )),
    head=dict(type='CSRAClsHead', in_channels=320, num_heads=1, lam=0.1))
# Ten times the backbone's rate, as for the linear head.
optim_wrapper = dict(
    optimizer=dict(lr=3e-3), paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10.0))))
