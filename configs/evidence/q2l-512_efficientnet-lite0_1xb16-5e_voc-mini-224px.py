_base_ = '../_base_/evidence_voc-mini.py'

model = dict(
    backbone=dict(out_indices=(4, )),
    head=dict(
        type='mmmsf.Query2LabelHead', in_channels=320, embed_dims=512, num_heads=4,
        feedforward_channels=2048, num_encoder_layers=1, num_decoder_layers=2,
        query_mode='first'))
