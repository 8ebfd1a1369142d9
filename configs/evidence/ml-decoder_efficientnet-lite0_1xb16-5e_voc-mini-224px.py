_base_ = '../_base_/evidence_voc-mini.py'

model = dict(
    backbone=dict(out_indices=(4, )),
    head=dict(
        type='mmmsf.MLDecoderHead', in_channels=320, embed_dims=768, num_heads=8,
        feedforward_channels=2048, num_groups=None))
