# Ours: no encoder, one decoder layer, the gate on the scale attention's product.
_base_ = '../_base_/evidence_voc-mini.py'

model = dict(
    neck=dict(
        type='mmmsf.MSFNeck', profile='paper', in_channels=[112, 320], embed_dims=512,
        product_gate=True),
    head=dict(
        type='mmmsf.MSFHead', profile='paper', embed_dims=512, num_heads=4,
        feedforward_channels=2048, num_encoder_layers=0, num_decoder_layers=1))
