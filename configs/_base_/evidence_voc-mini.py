# Shared by all recipes of configs/evidence, which add the head and its learning rate.
_base_ = [
    './models/efficientnet-lite0.py',
    './datasets/voc_mini_224px.py',
    './schedules/adamw_onecycle_5e_voc-mini.py',
    './ema_runtime_voc-mini.py',
]

model = dict(
    head=dict(
        num_classes=20,
        loss=dict(type='mmmsf.AsymmetricLoss', gamma_pos=0.0, gamma_neg=4.0, clip=0.0), thr=0.5))
