# Average pooling and one linear layer: 42,664,080 parameters.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet', depth=101, num_stages=4, out_indices=(3, ), style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet101')),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='MultiLabelLinearClsHead', num_classes=80, in_channels=2048,
        loss=dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=4.0, clip=0.0), thr=0.5))
