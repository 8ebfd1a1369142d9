# The first author's code where it differs from the paper; threshold and loss as in the other recipes.
_base_ = '../_base_/evidence_voc-mini.py'

model = dict(
    neck=dict(type='mmmsf.MSFNeck', in_channels=[112, 320], embed_dims=512, stride_padding=0),
    head=dict(
        type='mmmsf.MSFHead', embed_dims=512, num_heads=4, feedforward_channels=2048,
        num_encoder_layers=2, num_decoder_layers=3, position_mode='attention',
        query_mode='attention', act_cfg=dict(type='GELU')))
