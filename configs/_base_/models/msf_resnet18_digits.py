# A small network for 64-px images: ResNet-18 up to stride 16, half as wide, from scratch.
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        num_classes=10, mean=[127.5, 127.5, 127.5], std=[63.75, 63.75, 63.75], to_rgb=True),
    backbone=dict(
        type='ResNet', depth=18, base_channels=32, stem_channels=32, num_stages=3,
        strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(1, 2)),
    neck=dict(type='mmmsf.MSFNeck', in_channels=[64, 128], embed_dims=128, product_gate=True),
    head=dict(
        type='mmmsf.MSFHead', num_classes=10, embed_dims=128, num_heads=4,
        feedforward_channels=512, num_encoder_layers=2, num_decoder_layers=3,
        loss=dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=4.0, clip=0.0), thr=0.5))
