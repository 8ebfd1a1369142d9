_base_ = [
    '../_base_/models/csra_resnet101.py',
    '../_base_/datasets/coco14_448px.py',
    '../_base_/schedules/adamw_onecycle_80e.py',
    '../_base_/ema_runtime.py',
]
