# Query2Label, 2048 wide: 193,906,832 parameters. As in the released code, stem, layer1 and all batch
# norms (statistics, weights and biases) keep their pretrained values.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet', depth=101, num_stages=4, out_indices=(3, ), style='pytorch',
        frozen_stages=1, norm_cfg=dict(type='BN', requires_grad=False), norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet101')),
    head=dict(
        type='mmmsf.Query2LabelHead', num_classes=80, in_channels=2048, embed_dims=2048,
        num_heads=4, feedforward_channels=8192, num_encoder_layers=1, num_decoder_layers=2,
        loss=dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=4.0, clip=0.0), thr=0.5))
