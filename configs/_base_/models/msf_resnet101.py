# The paper's network (profile `paper`): 69,546,128 parameters. It starts from small maps: the raw product of Eq 3
# drowns larger ones (configs/evidence/README.md).
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet', depth=101, num_stages=4, out_indices=(2, 3), style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet101')),
    neck=dict(
        type='mmmsf.MSFNeck', profile='paper', in_channels=[1024, 2048], embed_dims=512,
        init_scale=0.3),
    head=dict(
        type='mmmsf.MSFHead', profile='paper', num_classes=80, embed_dims=512, num_heads=4,
        feedforward_channels=2048,
        loss=dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=4.0, clip=0.0)))
