# A small network for 64-px images, trained from scratch: ResNet-18 with a 3x3 stem, a quarter of
# the usual width, maps at strides 2, 4, 8 and 16.
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        num_classes=10, mean=[127.5, 127.5, 127.5], std=[63.75, 63.75, 63.75], to_rgb=True),
    backbone=dict(
        type='ResNet_CIFAR', depth=18, base_channels=16, stem_channels=16, strides=(2, 2, 2, 2),
        out_indices=(2, 3)),
    neck=dict(type='mmmsf.MSFNeck', profile='paper', in_channels=[64, 128], embed_dims=64),
    head=dict(
        type='mmmsf.MSFHead', profile='paper', num_classes=10, embed_dims=64, num_heads=4,
        feedforward_channels=256,
        loss=dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=4.0, clip=0.0)))
