# Ours: no encoder, one decoder layer, the gate on the scale attention's product.
_base_ = '../_base_/evidence_voc-mini.py'

model = dict(
    neck=dict(type='mmmsf.MSFNeck', profile='ours', in_channels=[112, 320], embed_dims=512),
    head=dict(
        type='mmmsf.MSFHead', profile='ours', embed_dims=512, num_heads=4,
        feedforward_channels=2048))
