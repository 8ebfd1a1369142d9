# MMPretrain's CSRA head with the arguments of its VOC 2007 recipe: 42,664,000 parameters.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet', depth=101, num_stages=4, out_indices=(3, ), style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet101')),
    head=dict(
        type='CSRAClsHead', num_classes=80, in_channels=2048, num_heads=1, lam=0.1,
        loss=dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=4.0, clip=0.0), thr=0.5))
