# The first author's code where it differs from the paper; threshold and loss as in the other recipes.
_base_ = '../_base_/evidence_voc-mini.py'

model = dict(
    neck=dict(type='mmmsf.MSFNeck', profile='authors', in_channels=[112, 320], embed_dims=512),
    head=dict(
        type='mmmsf.MSFHead', profile='authors', embed_dims=512, num_heads=4,
        feedforward_channels=2048))
