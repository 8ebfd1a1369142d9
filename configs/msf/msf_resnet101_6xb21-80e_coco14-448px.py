# The paper at 448 px on COCO 2014: its main result.
_base_ = [
    '../_base_/models/msf_resnet101.py',
    '../_base_/datasets/coco14_448px.py',
    '../_base_/schedules/adamw_onecycle_80e.py',
    '../_base_/ema_runtime.py',
]
