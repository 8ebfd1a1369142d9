# The recommended network on the hard variant. The rate was tuned like the baselines'
# (configs/baselines/README.md).
_base_ = './msf_resnet18_1xb16-5e_digits-hard-64px.py'

model = dict(
    neck=dict(
        _delete_=True, type='mmmsf.MSFNeck', profile='ours', in_channels=[64, 128], embed_dims=64,
        norm_cfg=dict(type='GN', num_groups=8), passthrough=True),
    head=dict(profile='ours', pooling_channels=128))
optim_wrapper = dict(
    optimizer=dict(lr=1.2e-2),
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=0.5))))
