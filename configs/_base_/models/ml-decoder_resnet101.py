# ML-Decoder with a query for each class: 49,650,832 parameters.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet', depth=101, num_stages=4, out_indices=(3, ), style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet101')),
    head=dict(
        type='mmmsf.MLDecoderHead', num_classes=80, in_channels=2048, embed_dims=768,
        num_heads=8, feedforward_channels=2048, num_groups=None,
        loss=dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=4.0, clip=0.0), thr=0.5))
