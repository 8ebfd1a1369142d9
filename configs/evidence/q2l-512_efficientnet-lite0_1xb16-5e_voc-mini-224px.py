_base_ = [
    '../_base_/models/efficientnet-lite0.py',
    '../_base_/datasets/voc_mini_224px.py',
    '../_base_/schedules/adamw_onecycle_5e_voc-mini.py',
    '../_base_/ema_runtime_voc-mini.py',
]

model = dict(
    backbone=dict(out_indices=(4, )),
    head=dict(
        type='mmmsf.Query2LabelHead', num_classes=20, in_channels=320, embed_dims=512,
        num_heads=4, feedforward_channels=2048, num_encoder_layers=1, num_decoder_layers=2,
        loss=dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=4.0, clip=0.0), thr=0.5))
