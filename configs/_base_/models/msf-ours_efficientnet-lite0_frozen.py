# Ours on a frozen EfficientNet-Lite0: branches on strides 16 and 32, the pooling predictor on the last convolution.
_base_ = './efficientnet-lite0_frozen.py'

model = dict(
    neck=dict(
        type='mmmsf.MSFNeck', profile='ours', in_channels=[112, 320], embed_dims=256,
        passthrough=True),
    head=dict(
        type='mmmsf.MSFHead', profile='ours', num_classes=20, embed_dims=256,
        feedforward_channels=1024, pooling_channels=1280,
        loss=dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=4.0, clip=0.0)))
