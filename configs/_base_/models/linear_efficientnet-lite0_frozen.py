# The linear head on the last convolution of a frozen EfficientNet-Lite0; num_classes is the data's.
_base_ = './efficientnet-lite0_frozen.py'

model = dict(
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='MultiLabelLinearClsHead', in_channels=1280,
        loss=dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=4.0, clip=0.0), thr=0.5))
