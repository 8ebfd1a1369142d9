_base_ = '../msf/msf_resnet18_1xb16-10e_digits-64px.py'

model = dict(
    backbone=dict(out_indices=(3, )),
    neck=None,
    head=dict(
        _delete_=True, type='mmmsf.Query2LabelHead', num_classes=10, in_channels=128,
        embed_dims=64, num_heads=4, feedforward_channels=256, query_mode='first',
        loss=dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=4.0, clip=0.0), thr=0.5))
