# The README's first command: minutes on two CPU cores, no download. The pooling predictor learns at the backbone's
# rate, as a linear layer does, and teaches the backbone while the branches start slowly.
_base_ = './msf_resnet18_1xb16-10e_digits-64px.py'

model = dict(
    neck=dict(
        _delete_=True, type='mmmsf.MSFNeck', profile='ours', in_channels=[64, 128], embed_dims=64,
        norm_cfg=dict(type='GN', num_groups=8), passthrough=True),
    head=dict(profile='ours', pooling_channels=128))
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={'neck': dict(lr_mult=0.2), 'head': dict(lr_mult=0.2), 'head.pooling': dict(lr_mult=1.0)}))
